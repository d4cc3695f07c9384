"""What every notifier's bench is: the notifier before a medium that can misbehave."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

import trustme

from core.errors import KeyturnError
from core.plugins import Family, Ports, load
from notifiers.base import Notice, Notifier
from tests.support.lending import lent

MISFORTUNES = (
    "throttled",
    "unavailable",
    "silent",
    "refusing_connections",
    "answer_lost",
    "bad_credentials",
    "address_refused",
    "untrusted_certificate",
)


@dataclass(frozen=True)
class Expected:
    """What a send must raise now; `changes` are made to the configuration beforehand."""

    error: type[KeyturnError]
    retry_after: timedelta | None = None
    throttled: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)
    arrives: bool = False


@dataclass(frozen=True)
class Told:
    """A notice as it arrived: its dedup key, all that a person can read, and all that was sent."""

    key: str
    read: str
    sent: str


class Bench:
    """A notifier and its medium, between `__enter__` and `__exit__`."""

    kind: ClassVar[str]
    lacks: ClassVar[Mapping[str, str]] = {}
    address = ""
    secrets: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._open = ExitStack()
        self.root = Path(self._open.enter_context(TemporaryDirectory()))
        self.ports = lent(file_root=self.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def notifier(self, **changes: Any) -> Notifier:
        """As configured to work, but for `changes`."""
        made = load(Family.NOTIFIER, self.kind).model_validate({**self.config(), **changes})
        assert isinstance(made, Notifier)
        return made

    def config(self) -> dict[str, Any]:
        raise NotImplementedError

    def elsewhere(self, host: str) -> dict[str, Any]:
        """The configuration by which the same medium is called by another name."""
        given = self.config()
        named = _renamed(given, host)
        assert named != given
        return {field: value for field, value in named.items() if value != given[field]}

    def told(self) -> list[Told]:
        raise NotImplementedError

    def assert_intact(self, notice: Notice) -> None:
        """What arrived last is this notice, well formed, and nothing else."""
        raise NotImplementedError

    def recover(self) -> None:
        """Nothing misbehaves any more."""

    def rotate_credentials(self) -> dict[str, Any]:
        """The medium takes only new credentials from now on: the changes that give them."""
        raise NotImplementedError

    def failing_checks(self) -> list[tuple[Notifier, Ports, type[KeyturnError]]]:
        raise NotImplementedError


def _renamed(value: Any, host: str) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(one, host) for key, one in value.items()}
    return value.replace("127.0.0.1", host) if isinstance(value, str) else value


def strings_of(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(strings_of(one) for one in value.values())
    if isinstance(value, list):
        return "\n".join(strings_of(one) for one in value)
    return str(value)


def another_authority() -> str:
    return trustme.CA().cert_pem.bytes().decode()
