"""One CI/CD variable of GitLab, as one send sees it: the value, and the mark in its description."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from core.errors import PlaceRefused
from core.ids import Mark
from sinks.base import Copy, Held
from sinks.deadline import Deadline
from sinks.gitlab.place import GitLabPlace
from sinks.gitlab.wire import GitLabWire, not_gitlab

_LONGEST_DESCRIPTION = 255
_OURS = "keyturn"
_SCOPE = "environment_scope"
_FILTER = f"filter[{_SCOPE}]"


@dataclass(frozen=True)
class Stored:
    """What GitLab says. `value` is None where it does not tell, as of a hidden variable."""

    value: SecretStr | None
    description: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> Mark | None:
        """What is there. Somebody else's value beside our mark is older than any of ours."""
        noted, told = _read(self.description)
        if noted is None or self.value is None or told == _fingerprint(self.value):
            return noted
        return Mark(0, 0, noted.place)

    @property
    def held(self) -> Held:
        """GitLab numbers no versions; what was written is told by its fingerprint."""
        return Held(self.mark, _fingerprint(self.value) if self.value else "")

    def bears(self, copy: Copy, settings: Mapping[str, Any]) -> bool:
        """Whether it is just this copy, with just these settings."""
        return (
            self.mark == copy.mark
            and self.description == _description(copy)
            and all(self.settings.get(name, it) == it for name, it in settings.items())
        )


class GitLabVariable:
    """The calls one send makes about one place and environment scope."""

    def __init__(
        self, wire: GitLabWire, deadline: Deadline, place: GitLabPlace, scope: str
    ) -> None:
        self._wire = wire
        self._deadline = deadline
        self._place = place
        self._scope = scope

    def stored(self) -> Stored | None:
        found = self._wire.call(
            self._deadline, "GET", self._place.variable, params={_FILTER: self._scope}
        )
        if found is None:
            return None
        if found.get("key") != self._place.name:
            raise not_gitlab()
        if found.get(_SCOPE, self._scope) != self._scope:
            return None  # a GitLab that knows no filter here answers with another one's
        value = found.get("value")
        return Stored(
            SecretStr(value) if isinstance(value, str) else None,
            str(found.get("description") or ""),
            found,
        )

    def write(self, copy: Copy, settings: Mapping[str, Any], *, is_new: bool) -> None:
        """Writes value, mark and settings in one call."""
        value = copy.text.get_secret_value()
        document = {**settings, "value": value, "description": _description(copy)}
        if is_new:
            named = {"key": self._place.name, _SCOPE: self._scope}
            made = self._call("POST", self._place.variables, {**document, **named})
            self._take_back_unscoped(made)
        else:
            params = {_FILTER: self._scope}
            self._call("PUT", self._place.variable, document, params=params)

    def delete(self, scope: str | None = None) -> None:
        self._wire.call(
            self._deadline, "DELETE", self._place.variable, params={_FILTER: scope or self._scope}
        )

    def _take_back_unscoped(self, made: Mapping[str, Any]) -> None:
        """Some editions scope no variables of groups: the token would be everybody's there."""
        scope = made.get(_SCOPE)
        if isinstance(scope, str) and scope != self._scope:
            self.delete(scope)
            raise PlaceRefused("This GitLab scopes no variables of groups to environments.")

    def _call(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any],
        *,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        answer = self._wire.call(self._deadline, method, path, params=params, document=document)
        if answer is None:
            raise PlaceRefused("GitLab has no such project or group, or this token may not see it.")
        return answer


def _description(copy: Copy) -> str:
    """The mark, the value's fingerprint, and as many facts as fit, as one line."""
    told = f"{_OURS} {copy.mark.version_id()} {_fingerprint(copy.text)}"
    for name, fact in copy.facts.items():
        said = f" {name}={fact}"
        if fact and len(told) + len(said) <= _LONGEST_DESCRIPTION:
            told += said
    return told


def _read(description: str) -> tuple[Mark | None, str]:
    """The mark and the fingerprint; None and nothing if Keyturn did not write it."""
    match description.split(" ", 3):
        case [marker, version, told, *_] if marker == _OURS:
            return Mark.of_version_id(version), told
    return None, ""


def _fingerprint(value: SecretStr) -> str:
    """Tells one value from another, and nothing about it: tokens are random."""
    return hashlib.sha256(value.get_secret_value().encode()).hexdigest()[:32]
