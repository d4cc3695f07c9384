"""GitHub Actions secrets of repositories, environments and organisations.

A value goes in sealed and never comes out. Whose it is stands in a variable beside it. The order
of writing makes every crash harmless: first whose it is, then the value, then when that was.
"""

import threading
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, model_validator

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.plugins import Pace, Ports
from sinks.base import Copy, Held, Removal, Sink
from sinks.deadline import Deadline
from sinks.endpoint import Address, CaBundle
from sinks.github.auth import AppAuth, TokenAuth
from sinks.github.place import GitHubPlace, github_place
from sinks.github.secret import GitHubSecret, Stored
from sinks.github.wire import GitHubWire, not_github

# Log in; read two; claim; key, write; read two, record, read two; log in anew and repeat a call.
_CALLS = 13
_WRITES = 2  # the value and the record; a new place is claimed too
_LARGEST = 48 * 1024  # docs.github.com, "Secrets reference"

RepositoryId = Annotated[int, Field(ge=1)]


class GitHubActionsSink(Sink):
    """Writes tokens into GitHub Actions secrets."""

    kind: ClassVar[str] = "github/actions-secret"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "GitHub Actions secrets"

    base_url: Address = Field(
        default="https://api.github.com",
        description="The REST API; of an Enterprise Server: https://github.example.com/api/v3.",
    )
    auth_data: TokenAuth | AppAuth = Field(discriminator="type", description="How Keyturn logs in.")
    visibility: Literal["all", "private", "selected"] = Field(
        default="private", description="Which repositories may use an organisation's secret."
    )
    selected_repository_ids: list[RepositoryId] = Field(
        default_factory=list, max_length=1000, description="The repositories if `selected`."
    )
    ca_bundle: CaBundle | None = Field(
        default=None, repr=False, description="PEM text of the authorities that sign its TLS."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _wire: GitHubWire | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _selects(self) -> Self:
        if bool(self.selected_repository_ids) != (self.visibility == "selected"):
            raise ValueError("give selected_repository_ids with the visibility selected, only")
        return self

    @property
    def pace(self) -> Pace:
        """80 content-generating requests a minute, few at a time; a server of one's own has none.

        docs.github.com, "Rate limits for the REST API" and "Best practices for using the REST API".
        """
        host = urlsplit(self.base_url).hostname or ""
        is_limited = host == "api.github.com" or host.endswith(".ghe.com")
        return Pace(
            per_second=80 / 60 if is_limited else None,
            cost=_WRITES,
            concurrency=2,
            send_limit=_CALLS * self.timeout,
        )

    def quota_key(self, address: str) -> str | None:
        return f"{urlsplit(self.base_url).netloc.lower()}/{self.auth_data.owner}"

    def place(self, path: str) -> str:
        return github_place(path).text

    def check(self, ports: Ports) -> str:
        """Logs in and reads whose the credentials are; writes nothing."""
        wire, deadline = self._connected(ports), self._deadline(ports)
        lease = wire.lease(ports.clock, deadline)
        if lease is None:
            user = wire.call(ports.clock, deadline, "GET", "user")
            if user is None or not isinstance(user.get("login"), str):
                raise not_github()
            return f"GitHub takes the token of {user['login'][:100]}; writing was not tried."
        writable = sorted(name for name, level in lease.may.items() if level == "write")
        if not {"secrets", "environments", "organization_secrets"} & set(writable):
            raise DestinationRefused("The App's installation may not write any secrets.")
        return f"GitHub takes the App's key; its installation may write: {', '.join(writable)}."

    def put(self, copy: Copy, ports: Ports) -> Held:
        if len(copy.text.get_secret_value().encode()) > _LARGEST:
            raise PlaceRefused("GitHub takes 48 KB at most.")
        secret = self._secret(github_place(copy.path), ports)
        stored = secret.stored()
        if not stored.is_free and not copy.may_follow(stored.mark):
            return stored.held
        if stored.bears(copy):
            return stored.held
        if stored.owner != copy.mark.place:
            secret.claim(copy, stored)
        secret.write(copy.text)
        _record(secret, copy)
        return _confirm(secret.stored(), copy)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """Another value than the noted one reads as revision 0."""
        stored = self._secret(github_place(path), ports).stored()
        return stored.held if stored.updated_at else None

    def remove(self, removal: Removal, ports: Ports) -> None:
        secret = self._secret(github_place(removal.path), ports)
        if secret.stored().owner == removal.place:
            secret.delete()

    def close(self) -> None:
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _deadline(self, ports: Ports) -> Deadline:
        return Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout)

    def _secret(self, place: GitHubPlace, ports: Ports) -> GitHubSecret:
        exposure: dict[str, Any] = {"visibility": self.visibility}
        if self.selected_repository_ids:
            exposure["selected_repository_ids"] = self.selected_repository_ids
        wire = self._connected(ports)
        return GitHubSecret(wire, ports.clock, self._deadline(ports), place, exposure)

    def _connected(self, ports: Ports) -> GitHubWire:
        with self._lock:
            if self._wire is None:
                self._wire = GitHubWire(ports.dialer, self.base_url, self.auth_data, self.ca_bundle)
            return self._wire


def _record(secret: GitHubSecret, copy: Copy) -> None:
    """Notes what was written, unless a newer one has been noted meanwhile: that is then doubted."""
    stored = secret.stored()
    noted = stored.recorded
    if noted is not None and (noted.place != copy.mark.place or noted > copy.mark):
        secret.doubt(stored)
        raise Transient("The secret was written at the same moment.")
    if not stored.updated_at:
        raise Transient("GitHub does not show yet what was written, or it was removed.")
    secret.record(copy, stored)


def _confirm(stored: Stored, copy: Copy) -> Held:
    """What GitHub holds now; Transient if that is not this copy, or a newer one."""
    mark = stored.mark
    if mark is None or mark.place != copy.mark.place or mark < copy.mark:
        raise Transient("The secret was written at the same moment.")
    return stored.held
