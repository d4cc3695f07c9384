"""GitLab's CI/CD variables of projects and groups.

A variable's value and its description, which bears the mark, are written in one call and can be
read back.
"""

import hashlib
import re
import threading
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
)

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.plugins import Pace, Ports
from sinks.base import Copy, Held, Removal, Sink
from sinks.deadline import Deadline
from sinks.endpoint import Address, CaBundle
from sinks.gitlab.place import gitlab_place
from sinks.gitlab.variable import GitLabVariable, Stored
from sinks.gitlab.wire import MASKING, GitLabWire, not_gitlab

_CALLS = 3  # read, write, read; or read, write and take back
_MASKABLE = re.compile(r"\S{8,}")
_SENDABLE = re.compile(r"[!-~]{1,4096}")


def _token(given: SecretStr) -> SecretStr:
    if not _SENDABLE.fullmatch(given.get_secret_value()):
        raise ValueError("a token is printable ASCII without spaces")
    return given


class TokenAuth(BaseModel):
    """An access token of a project, a group or a person."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["token"] = "token"
    token: Annotated[SecretStr, AfterValidator(_token)]


class GitLabCiSink(Sink):
    """Writes tokens into GitLab's CI/CD variables."""

    kind: ClassVar[str] = "gitlab/ci-variable"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "GitLab CI/CD variables"

    base_url: Address = Field(default="https://gitlab.com", description="Where GitLab answers.")
    auth_data: TokenAuth = Field(description="How Keyturn logs in.")
    environment_scope: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_/${}. *-]+$", max_length=255)
    ] = Field(default="*", description="The environments whose jobs get the variables.")
    variable_type: Literal["env_var", "file"] = Field(
        default="env_var", description="Whether jobs get the value, or a file that holds it."
    )
    is_masked: bool = Field(
        default=True, alias="masked", description="Asterisks instead of it in the logs of jobs."
    )
    protected: bool = Field(default=False, description="Only for protected branches and tags.")
    raw: bool = Field(default=True, description="A `$` in the value is just that.")
    ca_bundle: CaBundle | None = Field(
        default=None, repr=False, description="PEM text of the authorities that sign its TLS."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _wire: GitLabWire | None = PrivateAttr(default=None)

    @property
    def pace(self) -> Pace:
        """2,000 calls a minute for one user of gitlab.com; others' operators set their own.

        docs.gitlab.com/user/gitlab_com/rate_limits
        """
        is_limited = urlsplit(self.base_url).hostname == "gitlab.com"
        return Pace(
            per_second=2000 / 60 if is_limited else None,
            cost=_CALLS,
            concurrency=8,
            send_limit=_CALLS * self.timeout,
        )

    def quota_key(self, address: str) -> str | None:
        token = self.auth_data.token.get_secret_value()
        told = hashlib.sha256(token.encode()).hexdigest()[:12]  # one from another, and no more
        return f"{urlsplit(self.base_url).netloc.lower()}/{told}"

    def place(self, path: str) -> str:
        return gitlab_place(path).text

    def check(self, ports: Ports) -> str:
        """Reads what the token itself is; writes nothing."""
        wire, deadline = self._connected(ports), self._deadline(ports)
        about = wire.call(deadline, "GET", "personal_access_tokens/self")
        scopes = (about or {}).get("scopes")
        if about is None or not isinstance(scopes, list):
            raise not_gitlab()
        if "api" not in scopes:
            raise DestinationRefused("The token needs the scope `api`.")
        until = str(about.get("expires_at") or "")[:10]
        return f"GitLab takes the token, which ends {until or 'never'}; writing was not tried."

    def put(self, copy: Copy, ports: Ports) -> Held:
        if self.is_masked and not _MASKABLE.fullmatch(copy.text.get_secret_value()):
            raise PlaceRefused(MASKING)
        variable = self._variable(copy.path, ports)
        settings = {
            "variable_type": self.variable_type,
            "masked": self.is_masked,
            "protected": self.protected,
            "raw": self.raw,
        }
        stored = variable.stored()
        if stored is not None and not copy.may_follow(stored.mark):
            return stored.held
        if stored is not None and stored.bears(copy, settings):
            return stored.held
        variable.write(copy, settings, is_new=stored is None)
        return _confirm(variable.stored(), copy)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """Somebody else's value beside our mark reads as revision 0."""
        stored = self._variable(path, ports).stored()
        return stored.held if stored else None

    def remove(self, removal: Removal, ports: Ports) -> None:
        variable = self._variable(removal.path, ports)
        stored = variable.stored()
        if stored is not None and stored.mark and stored.mark.place == removal.place:
            variable.delete()

    def close(self) -> None:
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _deadline(self, ports: Ports) -> Deadline:
        return Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout)

    def _variable(self, path: str, ports: Ports) -> GitLabVariable:
        place = gitlab_place(path)
        return GitLabVariable(
            self._connected(ports), self._deadline(ports), place, self.environment_scope
        )

    def _connected(self, ports: Ports) -> GitLabWire:
        with self._lock:
            if self._wire is None:
                headers = {"PRIVATE-TOKEN": self.auth_data.token.get_secret_value()}
                self._wire = GitLabWire(ports.dialer, self.base_url, headers, self.ca_bundle)
            return self._wire


def _confirm(stored: Stored | None, copy: Copy) -> Held:
    """What GitLab holds now; Transient if that is not this copy, or a newer one."""
    if stored is None:
        raise Transient("GitLab does not show yet what was written, or it was removed.")
    if not stored.description and stored.value == copy.text:
        raise DestinationRefused("This GitLab keeps no descriptions of variables: it needs 16.2.")
    mark = stored.mark
    if mark is None or mark.place != copy.mark.place or mark < copy.mark:
        raise Transient("The variable was written at the same moment.")
    return stored.held
