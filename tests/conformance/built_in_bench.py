"""The built-in secret store as a sink's counterpart: a whole Keyturn on SQLite behind it."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from core.errors import Transient
from core.plugins import Ports
from core.secret_manifests import split_path
from core.secret_store import SecretGroups
from models import Secret, SecretGroup, SecretVersion
from services.secrets import secret_groups
from services.secrets.secret_values import open_version
from sinks.base import Sink
from tests.conformance.sink_bench import OVER_A_NETWORK, PATH, Bench
from tests.support.world import World, new_world

_GROUP = "app"


@dataclass
class _Interruptible:
    """The store; the next writing of a value fails if it is told to."""

    store: SecretGroups
    is_interrupted: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def put_version(self, *given: Any, **more: Any) -> None:
        if self.is_interrupted:
            self.is_interrupted = False
            raise Transient("interrupted")
        self.store.put_version(*given, **more)


@dataclass
class BuiltInBench(Bench):
    """Group `app` is there; every other is not, so that its places are refused."""

    kind = "custom/secret-groups"
    page = "secret-groups.md"
    inapplicable: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            (
                *OVER_A_NETWORK,
                "test_wrong_credentials_are_the_destination_s_problem",
                "test_credentials_that_end_in_the_middle_of_a_send_are_replaced",
                "test_a_value_that_is_too_large_is_that_place_s_problem",
            ),
            "it is Keyturn's own database: no service is called, no credentials are needed",
        ),
        "test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back": (
            "value and mark are one commit: an adoption that failed has not begun"
        ),
    }
    bad_paths = ("", "/", "app", "app/", "App/key", "app/a b", "app/a/b", "app/a\0b")
    opened: ExitStack = field(default_factory=ExitStack)
    world: World | None = None

    @property
    def _world(self) -> World:
        assert self.world is not None
        return self.world

    def start(self) -> None:
        folder = Path(self.opened.enter_context(TemporaryDirectory()))
        self.world = self.opened.enter_context(
            new_world(f"sqlite:///{folder / 'keyturn.db'}", folder / "files")
        )
        store = self._world.runtime.ports.built_in_store()
        self._gate = _Interruptible(store)
        self.ports = replace(self._world.runtime.ports, secret_groups=self._gate)
        self._make()

    def stop(self) -> None:
        self.opened.close()

    def finish(self) -> None:
        super().finish()
        self._gate.is_interrupted = False
        for group in self._world.rows(SecretGroup):
            secret_groups.delete_secret_group(self._world.runtime, self._world.admin, str(group.id))
        self._make()

    def _make(self) -> None:
        secret_groups.put_secret_group(
            self._world.runtime, self._world.admin, {"type": "secret-group", "name": _GROUP}
        )

    def config(self) -> dict[str, Any]:
        return {"tenant": str(self._world.tenant_id)}

    def history(self, path: str = PATH) -> list[Any]:
        return [(row.id, row.mark, self._value(row)) for row in self._versions(path)]

    def stored(self, path: str = PATH) -> str | None:
        versions = self._versions(path)
        return self._value(versions[-1]) if versions else None

    def write_foreign(self, path: str = PATH) -> None:
        (group,) = self._world.rows(SecretGroup)
        given = [{"key": split_path(path)[1], "value": "foreign"}]
        secret_groups.update_secrets(self._world.runtime, self._world.admin, str(group.id), given)

    def deny(self, path: str = PATH) -> None:
        assert split_path(path)[0] != _GROUP

    def interrupt(self) -> None:
        self._gate.is_interrupted = True

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(), Ports()

    def _versions(self, path: str) -> list[SecretVersion]:
        group, key = split_path(path)
        assert group == _GROUP
        secrets = self._world.rows(Secret, Secret.key == key)
        ids = [secret.id for secret in secrets]
        rows = self._world.rows(SecretVersion, SecretVersion.secret_id.in_(ids))
        return sorted(rows, key=lambda row: row.version)

    def _value(self, row: SecretVersion) -> str:
        value = open_version(self._world.runtime.keyring, row)
        assert value is not None
        return value.get_secret_value()
