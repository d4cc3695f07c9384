"""The repeated parts of a manifest (stores, people to tell, permissions, identities) as rows."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, str]

BUILT_IN_STORE = "tfy-secrets"
YES = "yes"

_MOST_ROWS = 500


@dataclass(frozen=True)
class Rows:
    """One repeated part: its name in the form, and both ways between an entry and a row.

    A row whose `lead` is empty is none. What of an entry has no field goes along under `kept`.
    """

    name: str
    columns: tuple[str, ...]
    lead: str
    read: Callable[[dict[str, Any]], Row]
    write: Callable[[Row, dict[str, Any]], dict[str, Any]]

    def fields(self, entries: Sequence[dict[str, Any]]) -> dict[str, str]:
        """The entries as fields named `name.number.column`."""
        found = {}
        for number, entry in enumerate(entries):
            for column, value in self.read(entry).items():
                found[f"{self.name}.{number}.{column}"] = value
        return found

    def rows(self, fields: Mapping[str, str]) -> list[Row]:
        """The rows that are filled in, in their order."""
        return [row for row in self._all(fields) if row[self.lead]]

    def renumbered(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The same fields, without gaps where rows were emptied."""
        mine = f"{self.name}."
        others = {name: value for name, value in fields.items() if not name.startswith(mine)}
        rows = {
            f"{self.name}.{number}.{column}": value
            for number, row in enumerate(self.rows(fields))
            for column, value in row.items()
        }
        return {**others, **rows}

    def entries(self, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        """The rows as the manifest has them."""
        return [self.write(row, _kept(row)) for row in self.rows(fields)]

    def _all(self, fields: Mapping[str, str]) -> Iterator[Row]:
        numbers = sorted(
            {
                int(parts[1])
                for name in fields
                if (parts := name.split("."))[0] == self.name
                and len(parts) == len(("name", "number", "column"))
                and parts[1].isdecimal()
            }
        )
        for number in numbers[:_MOST_ROWS]:
            yield {
                column: fields.get(f"{self.name}.{number}.{column}", "")
                for column in (*self.columns, "kept")
            }


def _kept(row: Row) -> dict[str, Any]:
    try:
        kept = json.loads(row["kept"] or "{}")
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _rest(entry: dict[str, Any], *known: str) -> str:
    rest = {key: value for key, value in entry.items() if key not in known}
    return json.dumps(rest, sort_keys=True) if rest else ""


def _flag(entry: dict[str, Any], key: str, *, usual: bool) -> str:
    return YES if entry.get(key, usual) else ""


def _store(entry: dict[str, Any]) -> Row:
    built_in = entry.get("type") == BUILT_IN_STORE
    return {
        "integration": BUILT_IN_STORE if built_in else entry.get("integration_fqn", ""),
        "path": entry.get("secret_group" if built_in else "secret_path", ""),
        "key": entry.get("key") or "",
        "form": entry.get("form", "bare"),
        "required": _flag(entry, "required", usual=True),
        "adopt": _flag(entry, "adopt", usual=False),
        "keep_copy": _flag(entry, "keep_copy", usual=False),
        "kept": _rest(
            entry,
            *("type", "integration_fqn", "secret_path", "secret_group", "key", "form"),
            *("required", "adopt", "keep_copy"),
        ),
    }


def _as_store(row: Row, kept: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "secret-store", "integration_fqn": row["integration"]}
    entry["secret_path"] = row["path"]
    if row["integration"] == BUILT_IN_STORE:
        entry = {"type": BUILT_IN_STORE, "secret_group": row["path"]}
    if row["key"]:
        entry["key"] = row["key"]
    if row["form"] not in {"", "bare"}:
        entry["form"] = row["form"]
    if row["required"] != YES:
        entry["required"] = False
    entry |= {name: True for name in ("adopt", "keep_copy") if row[name] == YES}
    if row["form"] in {"", "bare"}:
        kept.pop("fields", None)
    return {**entry, **kept}


def _target(entry: dict[str, Any]) -> Row:
    to = entry.get("to_emails") or entry.get("channels") or entry.get("to") or []
    return {
        "channel": entry.get("notification_channel", ""),
        "type": entry.get("type", ""),
        "to": ", ".join(to),
        "kept": _rest(entry, "notification_channel", "type", "to", "to_emails", "channels"),
    }


_ADDRESSES = {"email": "to_emails", "slack-bot": "channels"}


def _as_target(row: Row, kept: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": row["type"], "notification_channel": row["channel"]}
    to = [one.strip() for one in row["to"].replace("\n", ",").split(",") if one.strip()]
    if to or row["type"] in _ADDRESSES:
        entry[_ADDRESSES.get(row["type"], "to")] = to
    return {**entry, **kept}


def _permission(entry: dict[str, Any]) -> Row:
    return {
        "role": f"{entry.get('resource_type', '')}|{entry.get('role_id', '')}",
        "resource": entry.get("resource_fqn", ""),
        "kept": _rest(entry, "resource_type", "role_id", "resource_fqn"),
    }


def _as_permission(row: Row, kept: dict[str, Any]) -> dict[str, Any]:
    resource_type, _, role = row["role"].partition("|")
    entry = {"resource_fqn": row["resource"], "resource_type": resource_type, "role_id": role}
    return {**entry, **kept}


def _mapping(entry: dict[str, Any]) -> Row:
    return {
        "provider": entry.get("identity_provider", ""),
        "value": entry.get("value", ""),
        "kept": _rest(entry, "identity_provider", "value"),
    }


def _as_mapping(row: Row, kept: dict[str, Any]) -> dict[str, Any]:
    return {"identity_provider": row["provider"], "value": row["value"], **kept}


STORES = Rows(
    "stores",
    ("integration", "path", "key", "form", "required", "adopt", "keep_copy"),
    "integration",
    _store,
    _as_store,
)
TARGETS = Rows("targets", ("channel", "type", "to"), "channel", _target, _as_target)
PERMISSIONS = Rows("permissions", ("role", "resource"), "role", _permission, _as_permission)
MAPPINGS = Rows("mappings", ("provider", "value"), "provider", _mapping, _as_mapping)
