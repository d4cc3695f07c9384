"""One entry of a document that others write too: whose it is, and when it may be replaced.

What Keyturn says of an entry stands in the store's metadata under the entry's own name. Where
value and metadata are two calls, it is said before the value is written: a claim.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from core.errors import PlaceRefused, Transient
from core.ids import Mark
from sinks.base import Copy, Held, mark_metadata, mark_of

_FINGERPRINT, _VERSION, _OVER = "fingerprint", "version", "over"


@dataclass(frozen=True)
class Said:
    """The mark of an entry and the fingerprint of the value that belongs to it.

    Revision 0 is a claim; with `is_over` it goes over whatever is there. `version` is the
    store's name of the document in which the value was written.
    """

    mark: Mark
    fingerprint: str
    version: str = ""
    is_over: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_claim(self) -> bool:
        return self.mark.revision == 0

    def text(self, most: int | None = None) -> str:
        """JSON of at most so many characters: facts that do not fit are left out."""
        said = {**mark_metadata(self.mark), _FINGERPRINT: self.fingerprint}
        said |= {_VERSION: self.version} if self.version else {}
        said |= {_OVER: "yes"} if self.is_over else {}
        text = json.dumps(said)
        for name, value in self.facts.items():
            longer = json.dumps(said | {name: value})
            if value and (most is None or len(longer) <= most):
                said, text = said | {name: value}, longer
        return text

    @classmethod
    def of_text(cls, text: object) -> "Said | None":
        """Reads it back; None if Keyturn did not write it."""
        try:
            said = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(said, dict) or not all(isinstance(it, str) for it in said.values()):
            return None
        mark = mark_of(said)
        if mark is None:
            return None
        known = {"fingerprint": said.get(_FINGERPRINT, ""), "version": said.get(_VERSION, "")}
        return cls(mark, **known, is_over=_OVER in said)


@dataclass(frozen=True)
class Entry:
    """An entry as the store tells it now; `value` is None where there is none."""

    value: SecretStr | None
    said: Said | None

    @property
    def mark(self) -> Mark | None:
        """Whose the value is. Another one beside our mark is older than any of ours."""
        said = self._valid
        if said is None or (self.value is not None and fingerprint(self.value) == said.fingerprint):
            return said.mark if said else None
        return Mark(0, 0, said.mark.place)

    @property
    def newest(self) -> Mark | None:
        """The mark by what was said alone, which no late write may go below."""
        return self._valid.mark if self._valid else None

    def may_take(self, copy: Copy) -> bool:
        """Whether the copy may be written here; PlaceRefused if the entry is foreign.

        False: a newer one of the same place was written here. No entry is anybody's to add.
        """
        newest = self.newest
        if newest is not None and newest.place == copy.mark.place and newest > copy.mark:
            return False
        return self.value is None or copy.may_follow(newest)

    def needs_claim(self, copy: Copy) -> bool:
        """Whether the store does not say yet that this copy's place is here."""
        said = self._valid
        if said is None or said.mark.place != copy.mark.place:
            return True
        return said.is_claim and not said.is_over and said.fingerprint != fingerprint(copy.text)

    def holds(self, copy: Copy) -> bool:
        """Whether the value is this copy's; takes as long wherever they differ."""
        held = "" if self.value is None else self.value.get_secret_value()
        written = copy.text.get_secret_value()
        same = hmac.compare_digest(held.encode(errors="replace"), written.encode(errors="replace"))
        return same and self.value is not None

    def bears(self, copy: Copy) -> bool:
        """Whether it is just this copy, and nothing is left to be written."""
        return self.mark == copy.mark and self.holds(copy)

    def held(self, version: object) -> Held | None:
        """What `read` answers."""
        return None if self.value is None else Held(self.mark, str(version))

    @property
    def _valid(self) -> Said | None:
        """What was said; a claim that was never used says nothing of a value that is not its."""
        said = self.said
        if said and said.is_claim and not said.is_over and self.value is not None:
            return said if fingerprint(self.value) == said.fingerprint else None
        return said


def confirmed(held: Held | None, copy: Copy) -> Held:
    """What was read back after a write; Transient if that is not the copy, or a newer one."""
    mark = held.mark if held else None
    if held is None or mark is None or mark.place != copy.mark.place or mark < copy.mark:
        raise Transient("The entry was written at the same moment.")
    return held


def said_of(copy: Copy, version: str = "") -> Said:
    """What is said of this copy once it is written."""
    return Said(copy.mark, fingerprint(copy.text), version, facts=copy.facts)


def claim_of(copy: Copy, entry: Entry) -> Said:
    """What is said of it before."""
    claimed = replace(copy.mark, revision=0)
    return Said(claimed, fingerprint(copy.text), is_over=entry.value is not None)


def fingerprint(value: SecretStr) -> str:
    """Tells one token from another, and nothing about it: tokens are random."""
    text = value.get_secret_value().encode(errors="replace")
    return hashlib.sha256(text).hexdigest()[:32]


def text_of(value: Any) -> SecretStr:
    """An entry's value as text, for one that may be anything JSON has."""
    return SecretStr(value if isinstance(value, str) else json.dumps(value))


def whole_refused(where: str) -> PlaceRefused:
    """The two ways to write a document exclude each other: here it is the whole's."""
    return PlaceRefused(
        f"{where} lies in a secret that Keyturn writes as a whole: name another path, or leave "
        "the key out."
    )


def keys_refused(where: str) -> PlaceRefused:
    """Here it is the keys'."""
    return PlaceRefused(
        f"{where} holds keys that Keyturn writes one by one: name another path, or give a key."
    )
