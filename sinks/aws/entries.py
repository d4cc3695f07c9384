"""One key of a secret in AWS Secrets Manager whose other keys are somebody else's.

Secrets Manager has no check-and-set. The id of a version is made of the mark and of the version
that it follows; which one it really followed is read back, and what another writer wrote in
between is written again, with our key in it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import PlaceRefused, Transient
from core.ids import Mark
from sinks.aws.document import AwsDocument, of_words, previous, version_id, worded
from sinks.aws.secret import KEY, Described
from sinks.base import Copy, Held, Removal
from sinks.entries import (
    Entry,
    Said,
    claim_of,
    confirmed,
    said_of,
    text_of,
    whole_refused,
)

_KEY = re.compile(r"[A-Za-z0-9_.:/=+@-]{1,100}")
_REMOVED = "removed "  # a removal's versions are not its copy's


@dataclass(frozen=True)
class Change:
    """What one send makes of a document, whatever else is in it."""

    mark: Mark
    key: str
    of: Callable[[Mapping[str, Any]], dict[str, Any]]

    def write(self, secret: AwsDocument, document: Mapping[str, Any], after: str) -> str:
        """Writes the changed document after the version that was read; answers the new one."""
        version = version_id(self.mark, self.key, after)
        secret.write(self.of(document), version)
        return version


def check_key(given: str | None) -> str:
    """The key as it is, "" for the whole secret; PlaceRefused says what is allowed."""
    if given and not _KEY.fullmatch(given):
        raise PlaceRefused("a key has 1 to 100 letters, digits and _.:/=+@-")
    return given or ""


def put_entry(
    secret: AwsDocument, copy: Copy, tags: Mapping[str, str], kms_key: str | None
) -> Held:
    found = secret.describe()
    if found is None:
        version = version_id(copy.mark, copy.key, "")
        own = {KEY + copy.key: worded(said_of(copy, version))}
        secret.create_document(copy.entries, version, {**tags, **own}, kms_key)
        return confirmed(read_entry(secret, copy.key), copy)
    _demand_keys(found, copy)
    document = secret.document(found.current)
    entry = _entry(found, document, copy.key)
    if not entry.may_take(copy) or entry.bears(copy):
        return Held(entry.newest, found.current)
    if entry.needs_claim(copy):
        secret.say(copy.key, claim_of(copy, entry))
    if entry.holds(copy):
        secret.say(copy.key, said_of(copy, found.current))
        return confirmed(read_entry(secret, copy.key), copy)
    change = Change(copy.mark, copy.key, lambda others: {**others, **copy.entries})
    written = change.write(secret, document, found.current)
    secret.say(copy.key, said_of(copy, written))
    after = _settled(secret, found.current, written, change)
    return confirmed(_held(secret, after, copy.key), copy)


def read_entry(secret: AwsDocument, key: str) -> Held | None:
    """By tags and labels alone, if nothing was written since our value was."""
    found = secret.describe()
    return None if found is None or found.is_scheduled else _held(secret, found, key)


def remove_entry(secret: AwsDocument, removal: Removal) -> None:
    """Takes away the key, and leaves a secret without keys rather than another writer's loss."""
    found = secret.describe()
    said = _said(found, removal.key) if found else None
    if found is None or found.is_scheduled or said is None or said.mark.place != removal.place:
        return
    document = secret.document(found.current)
    if not _entry(found, document, removal.key).newest:
        return
    if removal.key in document:
        change = Change(
            said.mark,
            _REMOVED + removal.key,
            lambda others: {key: it for key, it in others.items() if key != removal.key},
        )
        written = change.write(secret, document, found.current)
        _settled(secret, found.current, written, change)
    secret.unsay(removal.key)


def _demand_keys(found: Described, copy: Copy) -> None:
    if found.is_scheduled:
        raise PlaceRefused(f"{copy.path} is scheduled for deletion: restore it, or let it go.")
    if found.place is not None:
        raise whole_refused(copy.where)


def _settled(secret: AwsDocument, base: str, written: str, change: Change) -> Described:
    """The secret with the written version as the current one; Transient if another is.

    What somebody wrote after `base` and before us is written again, changed.
    """
    found = secret.describe()
    if found is not None and found.current == base and written in found.stages:
        secret.move_current(written, instead_of=base)
        found = secret.describe()
    elif found is not None and found.current == written and previous(found) not in {base, ""}:
        between = previous(found)
        try:
            document = secret.document(between)
        except PlaceRefused:
            secret.move_current(between, instead_of=written)
            raise
        change.write(secret, document, between)
        found = secret.describe()
    if found is None or found.is_scheduled:
        raise Transient("The secret was removed at the same moment.")
    return found


def _held(secret: AwsDocument, found: Described, key: str) -> Held | None:
    said = _said(found, key)
    if said is not None and said.version and said.version == found.current:
        return Held(said.mark, said.version)
    try:
        document = secret.document(found.current)
    except PlaceRefused:  # somebody replaced all the keys by something else
        return Held(Mark(0, 0, said.mark.place) if said else None, found.current)
    return _entry(found, document, key).held(found.current)


def _said(found: Described, key: str) -> Said | None:
    return of_words(found.tags.get(KEY + key, ""))


def _entry(found: Described, document: Mapping[str, Any], key: str) -> Entry:
    value = text_of(document[key]) if key in document else None
    return Entry(value, _said(found, key))
