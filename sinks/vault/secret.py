"""One secret of a KV v2 engine, as one send sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hvac.api import SystemBackend
from hvac.api.auth_methods import Token
from hvac.api.secrets_engines import KvV2
from hvac.utils import format_url

from core.clock import Clock
from core.errors import DestinationRefused, PlaceRefused
from core.ids import Mark
from core.plugins import Ports
from sinks.base import Held, mark_of
from sinks.deadline import Deadline
from sinks.endpoint import TrustFile
from sinks.vault.auth import VaultAuth
from sinks.vault.errors import Denied
from sinks.vault.login import Lease, Login
from sinks.vault.wire import Wire, open_session

_MERGE = {"Content-Type": "application/merge-patch+json"}
KEY = "keyturn:"
"""Goes before a key in the name of the custom metadata that say whose it is."""


VERSION = "version"


@dataclass(frozen=True)
class Stored:
    """A secret's metadata. `version` is 0 before the first data; `is_gone`: the latest is deleted.

    Our mark stands above the versions: it proves whose the secret is, not what its data are.
    Beside it stands the version that it was written for, so that another one is seen.
    """

    version: int
    metadata: Mapping[str, str]
    is_gone: bool

    @property
    def mark(self) -> Mark | None:
        return mark_of(self.metadata)

    @property
    def held(self) -> Held:
        return Held(self.mark, str(self.version))

    @property
    def seen(self) -> Held:
        """The same, with somebody else's version under our mark as revision 0."""
        mark = self.mark
        if mark is not None and self.metadata.get(VERSION, "") != str(self.version):
            mark = Mark(0, 0, mark.place)
        return Held(mark, str(self.version))

    @property
    def keys(self) -> frozenset[str]:
        """What says of which of its keys they are Keyturn's; none, if it is written as a whole."""
        return frozenset(name for name in self.metadata if name.startswith(KEY))


class Connection:
    """One Vault with one set of credentials; every send of an integration shares it."""

    def __init__(
        self,
        ports: Ports,
        url: str,
        namespace: str | None,
        auth: VaultAuth,
        ca_bundle: str | None,
    ) -> None:
        self.url = url
        self.namespace = namespace
        self.login = Login(auth, ports)
        self._trust = TrustFile(ca_bundle) if ca_bundle else None
        self.session = open_session(ports.dialer, self._trust)

    def close(self) -> None:
        self.session.close()
        if self._trust is not None:
            self._trust.remove()


class VaultSecret:
    """The calls one send makes about one path; `mount` and `path` are normalised."""

    def __init__(
        self, connection: Connection, clock: Clock, deadline: Deadline, *, mount: str, path: str
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._deadline = deadline
        self._mount = mount
        self._at = {"path": path, "mount_point": mount}

    def stored(self) -> Stored | None:
        """Reads the metadata; None where nothing was ever stored."""
        found = self.described()
        return found if found and (found.version or found.mark or found.keys) else None

    def described(self) -> Stored | None:
        """Reads the metadata; None where there are none."""
        found = self._call(
            "read", "metadata", lambda wire: KvV2(wire).read_secret_metadata(**self._at)
        )
        data = found.get("data")
        if not data:
            return None
        if "current_version" not in data:
            raise DestinationRefused(f"The engine at {self._mount} is not KV v2.")
        version = int(data["current_version"])
        latest = (data.get("versions") or {}).get(str(version)) or {}
        return Stored(
            version=version,
            metadata=data.get("custom_metadata") or {},
            is_gone=_is_gone(latest, self._clock.now()),
        )

    def document(self) -> Any:
        """The data of the latest version; None if it is deleted."""
        return self.latest()[0]

    def latest(self) -> tuple[dict[str, Any] | None, int]:
        """The data of the latest version, None if it is deleted; its number, 0 if there is none."""
        found = self._call(
            "read",
            "data",
            lambda wire: KvV2(wire).read_secret_version(**self._at, raise_on_deleted_version=True),
        )
        told = found.get("data") or {}
        return told.get("data"), int((told.get("metadata") or {}).get("version") or 0)

    def write(self, document: dict[str, Any], *, cas: int) -> int:
        """Writes a version after `cas` and answers its number; Transient if another came first."""
        found = self._call(
            "write",
            "data",
            lambda wire: KvV2(wire).create_or_update_secret(secret=document, cas=cas, **self._at),
        )
        version = (found.get("data") or {}).get("version")
        if not isinstance(version, int):
            raise DestinationRefused(f"The engine at {self._mount} is not KV v2.")
        return version

    def describe(self, metadata: dict[str, str]) -> None:
        """Replaces what stands in custom_metadata, and leaves the operator's settings alone."""
        # Not by hvac's update_metadata: that puts delete_version_after back to never.
        url = format_url("/v1/{mount_point}/metadata/{path}", **self._at)
        self._call(
            "write", "metadata", lambda wire: wire.post(url, json={"custom_metadata": metadata})
        )

    def say(self, name: str, text: str | None) -> None:
        """Sets or removes one of the custom metadata, and leaves the others alone."""
        url = format_url("/v1/{mount_point}/metadata/{path}", **self._at)
        change = {"json": {"custom_metadata": {name: text}}, "headers": dict(_MERGE)}
        self._call("patch", "metadata", lambda wire: wire.request("patch", url, **change))

    def delete(self) -> None:
        """Removes the metadata and every version."""
        self._call(
            "delete",
            "metadata",
            lambda wire: KvV2(wire).delete_metadata_and_all_versions(**self._at),
        )

    def health(self) -> dict[str, Any]:
        """What any caller may ask: no token, no namespace. Transient if sealed."""
        wire = Wire(self._connection.session, self._connection.url, self._deadline)
        found: dict[str, Any] = SystemBackend(wire).read_health_status(
            method="GET", standby_ok=True, performance_standby_code=200
        )
        return found

    def lease(self, refused: Lease | None = None) -> Lease:
        return self._connection.login.lease(
            self._open, self._deadline.elapsed(), wait=self._deadline.call, refused=refused
        )

    def _call(self, verb: str, kind: str, work: Callable[[Wire], dict[str, Any]]) -> dict[str, Any]:
        """Does it with a token that is valid now; one that has ended is replaced once."""
        lease = self.lease()
        try:
            return work(self._open(lease.token.get_secret_value()))
        except Denied:
            pass
        if not self._is_valid(lease):
            try:
                lease = self.lease(refused=lease)
                return work(self._open(lease.token.get_secret_value()))
            except Denied:
                pass
        raise PlaceRefused(
            f"Vault's policy does not let Keyturn {verb} {self._mount}/{kind}/{self._at['path']}."
        )

    def _is_valid(self, lease: Lease) -> bool:
        try:
            Token(self._open(lease.token.get_secret_value())).lookup_self()
        except Denied:
            return False
        return True

    def _open(self, token: str) -> Wire:
        at = self._connection
        return Wire(at.session, at.url, self._deadline, token=token, namespace=at.namespace)


def _is_gone(latest: Mapping[str, Any], now: datetime) -> bool:
    """Whether the version is destroyed or deleted; its deletion may be planned for later."""
    deleted = str(latest.get("deletion_time") or "")[:19]
    return bool(latest.get("destroyed")) or "" < deleted <= f"{now:%Y-%m-%dT%H:%M:%S}"
