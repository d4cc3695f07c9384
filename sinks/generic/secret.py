"""One secret of a generic store, as one send sees it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from core.errors import DestinationRefused, PlaceRefused
from core.ids import Mark
from sinks.base import Copy, Held, mark_of
from sinks.deadline import Deadline
from sinks.generic.wire import Missing, Unsupported, Wire, no_place, not_a_store

_FINGERPRINT = "fingerprint"


@dataclass(frozen=True)
class Stored:
    """What the store says of a secret. `value` is None where it does not tell.

    `etag` is there where a write can be bound to what was read.
    """

    value: SecretStr | None
    metadata: Mapping[str, str]
    version: str
    etag: str

    @property
    def mark(self) -> Mark | None:
        """What is current. Somebody else's value beside our mark is older than any of ours."""
        mark = mark_of(self.metadata)
        told = self.metadata.get(_FINGERPRINT)
        if mark is None or self.value is None or fingerprint(self.value) == told:
            return mark
        return Mark(0, 0, mark.place)

    @property
    def held(self) -> Held:
        return Held(self.mark, self.version)

    def bears(self, copy: Copy) -> bool:
        """Whether it is just this copy."""
        told = self.metadata.get(_FINGERPRINT)
        return self.mark == copy.mark and told == fingerprint(copy.text)


class GenericSecret:
    """The calls one send makes about one path, which is normalised."""

    def __init__(self, wire: Wire, deadline: Deadline, path: str) -> None:
        self._wire = wire
        self._deadline = deadline
        self._path = quote(path, safe="/")

    def stored(self) -> Stored | None:
        """Reads it; None if nothing is there. Unsupported if the store does not let it be read."""
        try:
            found, headers = self._wire.call(self._deadline, "GET", self._path)
        except Missing:
            return None
        if not found.keys() & {"value", "metadata"}:
            raise not_a_store()
        value, metadata = found.get("value"), found.get("metadata")
        etag = headers.get("ETag") or ""
        return Stored(
            value=SecretStr(value) if isinstance(value, str) else None,
            metadata=_texts(metadata),
            version=str(found.get("version") or etag.strip('"'))[:200],
            etag="" if etag.startswith("W/") else etag,  # a weak one does not bind a write
        )

    def write(self, copy: Copy, after: Stored | None, *, is_blind: bool = False) -> None:
        """Replaces value and metadata, bound to what was read where the store can do that."""
        condition = {"If-Match": after.etag} if after and after.etag else {}
        if after is None and not is_blind:
            condition = {"If-None-Match": "*"}
        document = {
            "value": copy.text.get_secret_value(),
            "metadata": {**copy.metadata(), _FINGERPRINT: fingerprint(copy.text)},
        }
        key = {"Idempotency-Key": _key(copy, after)}
        try:
            self._wire.call(
                self._deadline, "PUT", self._path, headers={**key, **condition}, document=document
            )
        except Missing:
            failure: Exception = no_place()
        except Unsupported:
            failure = DestinationRefused("The store does not take a PUT: check base_url.")
        else:
            return
        raise failure

    def delete(self, found: Stored) -> None:
        """Removes it, bound to what was read where the store can do that."""
        condition = {"If-Match": found.etag} if found.etag else {}
        failure: Exception
        try:
            self._wire.call(self._deadline, "DELETE", self._path, headers=condition)
        except Missing:
            return
        except Unsupported:
            failure = PlaceRefused("The store does not take a DELETE: remove the secret there.")
        else:
            return
        raise failure


def fingerprint(token: SecretStr) -> str:
    """Tells one token from another, and nothing about it: tokens are random."""
    return hashlib.sha256(token.get_secret_value().encode()).hexdigest()[:32]


def _key(copy: Copy, after: Stored | None) -> str:
    """The same for a repeat; another when the same copy is written again over something else."""
    state = f"{after.version} {after.etag}".strip() if after else ""
    over = f"-{hashlib.sha256(state.encode()).hexdigest()[:12]}" if state else ""
    return f"{copy.mark.version_id()}{over}"


def _texts(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if isinstance(value, str)}
