"""A virtual account's manifest as the fields of a form, and back. Pure.

What somebody has not touched stays in the manifest as it was written, down to its spelling: each
section of the form replaces its part of the manifest only if one of its fields is another than
before.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from console.account_form_rows import MAPPINGS, PERMISSIONS, STORES, TARGETS, YES, Rows
from core.errors import InvalidInput

Manifest = dict[str, Any]
Fields = dict[str, str]

NEVER, INTERVAL, SCHEDULE = "never", "interval", "schedule"

_DAYS = 360  # between rotations, where the reference's manifest says nothing


@dataclass(frozen=True)
class Section:
    """A part of the manifest: its keys there, its fields here, and both ways between them."""

    keys: tuple[str, ...]
    fields: Callable[[Manifest], Fields]
    manifest: Callable[[Mapping[str, str], Manifest], Manifest]
    normal: Callable[[Mapping[str, str]], Fields]


def fields_of(manifest: Manifest) -> Fields:
    """The form's fields for this manifest."""
    found: Fields = {}
    for section in _SECTIONS:
        found |= section.fields(manifest)
    return found


def manifest_of(fields: Mapping[str, str], base: Manifest) -> Manifest:
    """The manifest that the fields ask for, where it was `base` before.

    InvalidInput for what cannot be read; whether it is allowed is for the use case to say.
    """
    manifest = {"type": "virtual-account", **base}
    for section in _SECTIONS:
        before = section.fields(base)
        if section.normal(fields) == section.normal(before):
            continue
        for key in section.keys:
            manifest.pop(key, None)
        manifest |= section.manifest(fields, base)
    return manifest


def _named(*names: str) -> Callable[[Mapping[str, str]], Fields]:
    return lambda fields: {name: fields.get(name, "").strip() for name in names}


def _plain(key: str, usual: str = "") -> Section:
    """One text of the manifest; the usual one need not be said."""

    def written(fields: Mapping[str, str], _base: Manifest) -> Manifest:
        value = fields.get(key, "").strip()
        return {key: value} if value not in {"", usual} else {}

    return Section(
        (key,), lambda manifest: {key: str(manifest.get(key) or usual)}, written, _named(key)
    )


def _owner(manifest: Manifest) -> Fields:
    return {"team": (manifest.get("ownedBy") or {}).get("team", "")}


def _as_owner(fields: Mapping[str, str], _base: Manifest) -> Manifest:
    team = fields.get("team", "").strip()
    return {"ownedBy": {"team": team}} if team else {}


def _tags(manifest: Manifest) -> Fields:
    lines = [
        f"{key}: {value if isinstance(value, str) else json.dumps(value)}"
        for key, value in (manifest.get("tags") or {}).items()
    ]
    return {"tags": "\n".join(lines)}


def _as_tags(fields: Mapping[str, str], _base: Manifest) -> Manifest:
    tags = {}
    for line in filter(None, map(str.strip, fields.get("tags", "").splitlines())):
        key, colon, value = line.partition(":")
        if not colon or not key.strip():
            raise InvalidInput("tags", "give a name, a colon and a value on each line")
        tags[key.strip()] = value.strip()
    return {"tags": tags} if tags else {}


def _rotation(manifest: Manifest) -> Fields:
    rotate = manifest.get("auto_rotate")
    found = dict.fromkeys(_ROTATION, "")
    if rotate is None:
        return {**found, "rhythm": NEVER, "timezone": "UTC"}
    found |= {key: str(rotate.get(key) or "") for key in ("schedule", "spread", "max_hold")}
    found["rhythm"] = SCHEDULE if rotate.get("schedule") else INTERVAL
    if found["rhythm"] == INTERVAL:
        days = rotate.get("auto_rotate_interval", _DAYS)
        found["interval"] = str(rotate.get("interval") or f"{days}d")
    grace_days = f"{rotate['grace_period']}d" if "grace_period" in rotate else ""
    found["grace"] = str(rotate.get("grace") or grace_days)
    found["timezone"] = rotate.get("timezone", "UTC")
    found["ack"] = YES if rotate.get("ack_ends_grace") else ""
    return found


def _as_rotation(fields: Mapping[str, str], _base: Manifest) -> Manifest:
    given = _named(*_ROTATION)(fields)
    if given["rhythm"] not in {INTERVAL, SCHEDULE}:
        return {}
    rotate: Manifest = {}
    if given["rhythm"] == SCHEDULE:
        rotate["schedule"] = given["schedule"]
        if given["timezone"] not in {"", "UTC"}:
            rotate["timezone"] = given["timezone"]
    else:
        rotate["interval"] = given["interval"]
    rotate |= {key: given[key] for key in ("grace", "spread", "max_hold") if given[key]}
    if given["ack"]:
        rotate["ack_ends_grace"] = True
    return {"auto_rotate": rotate}


def _repeated(rows: Rows, several: str, one: str = "", *, stays_empty: bool = False) -> Section:
    """A list of the manifest, which may be spelled as a single entry under another key."""

    def entries(manifest: Manifest) -> list[dict[str, Any]]:
        single = manifest.get(one) if one else None
        return [single] if single else list(manifest.get(several) or [])

    def written(fields: Mapping[str, str], base: Manifest) -> Manifest:
        found = rows.entries(fields)
        if found or (stays_empty and base.get(several)):
            return {several: found}
        return {}

    def normal(fields: Mapping[str, str]) -> Fields:
        return {str(number): json.dumps(row) for number, row in enumerate(rows.rows(fields))}

    keys = (several, one) if one else (several,)
    return Section(keys, lambda manifest: rows.fields(entries(manifest)), written, normal)


_ROTATION = ("rhythm", "interval", "schedule", "timezone", "spread", "grace", "max_hold", "ack")
_SECTIONS = (
    _plain("name"),
    Section(("ownedBy",), _owner, _as_owner, _named("team")),
    Section(("tags",), _tags, _as_tags, _named("tags")),
    _plain("expiration_date"),
    _plain("token_type", "opaque"),
    Section(("auto_rotate",), _rotation, _as_rotation, _named(*_ROTATION)),
    _repeated(STORES, "secret_store_configs", "secret_store_config"),
    _repeated(TARGETS, "notification_targets", "notification_target"),
    # Left out, they stay; so none at all has to be said, and is refused in the use case's words.
    _repeated(PERMISSIONS, "permissions", stays_empty=True),
    _repeated(MAPPINGS, "identity_provider_mapping"),
)
