"""One key of a KV v2 secret whose other keys are somebody else's.

The order is that of a whole secret: first whose the key is, then the data, by check-and-set on
the version that was read, then which revision it is. Metadata are patched name by name.
"""

import re
from typing import Any

from core.errors import PlaceRefused
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
from sinks.vault.secret import KEY, Stored, VaultSecret

_KEY = re.compile(r"[!-~]{1,100}")
_MOST_MARKS, _LONGEST_MARK = 64, 512  # Vault's own limits of custom metadata


def check_key(given: str | None) -> str:
    """The key as it is, "" for the whole secret; PlaceRefused says what is allowed."""
    if given and not _KEY.fullmatch(given):
        raise PlaceRefused("a key has 1 to 100 ASCII letters, digits and signs, and no spaces")
    return given or ""


def put_entry(secret: VaultSecret, copy: Copy) -> Held:
    stored = secret.described()
    if stored is not None and stored.mark:
        raise whole_refused(copy.where)
    document, version = _latest(secret, stored)
    entry = _entry(stored, document, copy.key)
    if not entry.may_take(copy) or entry.bears(copy):
        return Held(entry.newest, str(version))
    if entry.needs_claim(copy):
        _claim(secret, stored, copy, entry)
    if not entry.holds(copy):
        version = secret.write({**document, **copy.entries}, cas=version)
    secret.say(KEY + copy.key, said_of(copy, str(version)).text(_LONGEST_MARK))
    return confirmed(read_entry(secret, copy.key), copy)


def read_entry(secret: VaultSecret, key: str) -> Held | None:
    """By the metadata alone, if nothing was written since our value was."""
    stored = secret.described()
    if stored is None or not stored.version or stored.is_gone:
        return None
    said = _said(stored, key)
    if said is not None and said.version == str(stored.version):
        return Held(said.mark, said.version)
    document, version = _latest(secret, stored)
    return _entry(stored, document, key).held(version)


def remove_entry(secret: VaultSecret, removal: Removal) -> None:
    """Takes away the key, and leaves a secret without keys rather than another writer's loss."""
    stored = secret.described()
    said = _said(stored, removal.key)
    if said is None or said.mark.place != removal.place:
        return
    document, version = _latest(secret, stored)
    if not _entry(stored, document, removal.key).newest:
        return
    if removal.key in document:
        left = {key: value for key, value in document.items() if key != removal.key}
        secret.write(left, cas=version)
    secret.say(KEY + removal.key, None)


def _latest(secret: VaultSecret, stored: Stored | None) -> tuple[dict[str, Any], int]:
    """The latest document and its version; no keys if it is deleted, or nothing was written."""
    if stored is None or not stored.version:
        return {}, 0
    document, version = secret.latest()
    return document or {}, version


def _said(stored: Stored | None, key: str) -> Said | None:
    return Said.of_text(stored.metadata.get(KEY + key)) if stored else None


def _entry(stored: Stored | None, document: dict[str, Any], key: str) -> Entry:
    value = text_of(document[key]) if key in document else None
    return Entry(value, _said(stored, key))


def _claim(secret: VaultSecret, stored: Stored | None, copy: Copy, entry: Entry) -> None:
    """Says whose the key is before there are data: a crash then leaves it ours, not foreign."""
    name, text = KEY + copy.key, claim_of(copy, entry).text()
    if stored is None:
        secret.describe({name: text})
        return
    if name not in stored.metadata and len(stored.metadata) >= _MOST_MARKS:
        raise PlaceRefused(
            f"The secret at {copy.path} has {_MOST_MARKS} custom metadata already, and Vault "
            "allows no more: put this key into another one."
        )
    secret.say(name, text)
