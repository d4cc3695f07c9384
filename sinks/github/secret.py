"""One secret of GitHub Actions and the variable beside it, as one send sees them.

A secret's value cannot be read back. The variable says whose it is, what was written, and when
GitHub says that was; a secret that GitHub says was written at another time is somebody else's.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from nacl.public import PublicKey, SealedBox
from pydantic import SecretStr

from core.clock import Clock
from core.errors import PlaceRefused
from core.ids import Mark
from sinks.base import Copy, Held, mark_metadata, mark_of
from sinks.deadline import Deadline
from sinks.github.place import GitHubPlace
from sinks.github.wire import GitHubWire, not_github

_FINGERPRINT = "fingerprint"
_WRITTEN_AT = "secret-updated-at"


@dataclass(frozen=True)
class Stored:
    """What GitHub says. `note` is the variable's, None without one; `updated_at` the secret's."""

    note: Mapping[str, str] | None
    updated_at: str

    @property
    def is_free(self) -> bool:
        return self.note is None and not self.updated_at

    @property
    def recorded(self) -> Mark | None:
        """What Keyturn noted last; None if the variable is missing or somebody else's."""
        return mark_of(self.note)

    @property
    def owner(self) -> UUID | None:
        return self.recorded.place if self.recorded else None

    @property
    def mark(self) -> Mark | None:
        """What is there. Any other value than the noted one is older than any of ours."""
        recorded = self.recorded
        if recorded is None or self.bears_noted_value:
            return recorded
        return Mark(0, 0, recorded.place)

    @property
    def bears_noted_value(self) -> bool:
        """Whether the secret is as old as the value that was noted."""
        return bool(self.updated_at) and (self.note or {}).get(_WRITTEN_AT) == self.updated_at

    @property
    def held(self) -> Held:
        return Held(self.mark, self.updated_at)

    def bears(self, copy: Copy) -> bool:
        """Whether it is just this copy."""
        return bool(self.updated_at) and self.note == _note(copy, self.updated_at)


class GitHubSecret:
    """The calls one send makes about one place.

    `exposure` is what an organisation's secrets say of the repositories that may use them.
    """

    def __init__(
        self,
        wire: GitHubWire,
        clock: Clock,
        deadline: Deadline,
        place: GitHubPlace,
        exposure: Mapping[str, Any],
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._deadline = deadline
        self._place = place
        self._exposure = exposure if place.is_organization else {}

    def stored(self) -> Stored:
        """Reads the variable, then the secret's time."""
        variable = self._call("GET", self._place.variable)
        secret = self._call("GET", self._place.secret)
        updated_at = "" if secret is None else secret.get("updated_at")
        if not isinstance(updated_at, str) or (secret is not None and not updated_at):
            raise not_github()
        return Stored(None if variable is None else _read(variable.get("value")), updated_at)

    def claim(self, copy: Copy, stored: Stored) -> None:
        """Says whose the secret is before it is written: a crash leaves it ours, not foreign."""
        self._describe(mark_metadata(replace(copy.mark, revision=0)), stored)

    def write(self, text: SecretStr) -> None:
        """Replaces the value, sealed for this place's key."""
        key = self._call("GET", self._place.public_key)
        if key is None:
            raise _no_place()
        sealed = {"encrypted_value": _sealed(text, key.get("key")), "key_id": key.get("key_id")}
        if self._call("PUT", self._place.secret, {**sealed, **self._exposure}) is None:
            raise _no_place()

    def record(self, copy: Copy, stored: Stored) -> None:
        """Notes this copy as what was written at the time that was just read."""
        self._describe(_note(copy, stored.updated_at), stored)

    def doubt(self, stored: Stored) -> None:
        """Leaves a newer note as it is, but for the time: so that the value is looked into."""
        note = {key: text for key, text in (stored.note or {}).items() if key != _WRITTEN_AT}
        self._describe(note, stored)

    def delete(self) -> None:
        """Removes the secret, then the variable: a crash between them leaves no stray token."""
        self._call("DELETE", self._place.secret)
        self._call("DELETE", self._place.variable)

    def _describe(self, note: Mapping[str, str], stored: Stored) -> None:
        document = {"name": self._place.companion, "value": json.dumps(note), **self._exposure}
        if stored.note is None:
            done = self._call("POST", self._place.variables, document)
        else:
            done = self._call("PATCH", self._place.variable, document)
        if done is None:
            raise _no_place()

    def _call(
        self, method: str, path: str, document: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        return self._wire.call(self._clock, self._deadline, method, path, document)


def _note(copy: Copy, updated_at: str) -> dict[str, str]:
    value = copy.text.get_secret_value().encode()
    told = hashlib.sha256(value).hexdigest()[:32]  # of a random token: it says nothing about it
    return {**copy.metadata(), _FINGERPRINT: told, _WRITTEN_AT: updated_at}


def _read(value: Any) -> dict[str, str]:
    """The variable's note; an empty one if it is none of Keyturn's."""
    try:
        found = json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: text for key, text in found.items() if isinstance(text, str)}


def _sealed(text: SecretStr, key: Any) -> str:
    try:
        box = SealedBox(PublicKey(b64decode(key, validate=True)))
    except (TypeError, ValueError):
        box = None
    if box is None:
        raise not_github()
    return b64encode(box.encrypt(text.get_secret_value().encode())).decode()


def _no_place() -> PlaceRefused:
    return PlaceRefused(
        "GitHub has no such repository, environment or organisation, or these credentials may "
        "not write secrets and variables there."
    )
