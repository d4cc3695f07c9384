"""Narrowing the list of virtual accounts: a part of the name, owners, expiry, a tree of conditions.

A tree has groups, `{"type": "AND", "children": [...]}`, and conditions, `{"column": "name",
"op": "STRING_CONTAINS", "value": "bot"}`. A condition on a tag names it: `{"column":
"manifest.tags", "key": "team", "op": "EQUAL", "value": "platform"}`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select
from sqlalchemy.sql.elements import SQLColumnExpression

from core.errors import InvalidInput
from models import Team, VirtualAccount

_DEEPEST = 5
_MOST_CONDITIONS = 50
_MOST_VALUES = 100
_LONGEST = 320
_KEY = re.compile(r'[^"\\\x00-\x1f]{1,100}')

Condition = ColumnElement[bool]
_Text = SQLColumnExpression[str]
Meaning = TypeVar("Meaning")


@dataclass(frozen=True)
class Narrowing:
    """Which accounts are asked for; everything that is given must hold."""

    search: str = ""
    teams: Sequence[str] = ()
    is_expired: bool | None = None
    tree: str | None = None

    def conditions(self, tenant_id: UUID, now: datetime) -> Iterator[Condition]:
        """As conditions on an account's row; InvalidInput says where the tree is wrong."""
        if self.search:
            yield VirtualAccount.name.contains(self.search.lower(), autoescape=True)
        if self.teams:
            if len(self.teams) > _MOST_VALUES:
                raise InvalidInput("ownedByTeams", f"give at most {_MOST_VALUES} names")
            owners = select(Team.id).where(Team.tenant_id == tenant_id, Team.name.in_(self.teams))
            yield VirtualAccount.team_id.in_(owners)
        if self.is_expired is not None:
            over = VirtualAccount.expires_at <= now
            yield over if self.is_expired else or_(VirtualAccount.expires_at.is_(None), ~over)
        if self.tree:
            yield _Tree().read(_parsed(self.tree), "filter", 1)


def _parsed(tree: str) -> Any:
    try:
        return json.loads(tree)
    except (ValueError, RecursionError):
        raise InvalidInput("filter", "give a JSON object") from None


_GROUPS: dict[str, Callable[..., Condition]] = {"AND": and_, "OR": or_}


class _Tree:
    """Reads one tree, counting its conditions."""

    def __init__(self) -> None:
        self._conditions = 0

    def read(self, node: Any, path: str, depth: int) -> Condition:
        if not isinstance(node, dict):
            raise InvalidInput(path, "give an object with type and children, or column and op")
        if "children" in node or "column" not in node:
            return self._group(node, path, depth)
        self._conditions += 1
        if self._conditions > _MOST_CONDITIONS:
            raise InvalidInput("filter", f"give at most {_MOST_CONDITIONS} conditions")
        return _condition(node, path)

    def _group(self, node: dict[str, Any], path: str, depth: int) -> Condition:
        _check_keys(node, {"type", "children"}, path)
        together = _one_of(node.get("type"), _GROUPS, f"{path}.type")
        children = node.get("children")
        if not isinstance(children, list) or not children:
            raise InvalidInput(f"{path}.children", "give a list of conditions or groups")
        if depth == _DEEPEST:
            raise InvalidInput(path, f"give at most {_DEEPEST} levels")
        read = [
            self.read(child, f"{path}.children.{number}", depth + 1)
            for number, child in enumerate(children)
        ]
        return together(*read)


def _condition(node: dict[str, Any], path: str) -> Condition:
    return _one_of(node.get("column"), _COLUMNS, f"{path}.column")(node, path)


def _name(node: dict[str, Any], path: str) -> Condition:
    _check_keys(node, {"type", "column", "op", "value"}, path)
    return _compare(node, path, VirtualAccount.name, VirtualAccount.name)


def _created(node: dict[str, Any], path: str) -> Condition:
    _check_keys(node, {"type", "column", "op", "value"}, path)
    compare = _one_of(node.get("op"), _ORDER, f"{path}.op")
    return compare(VirtualAccount.created_at, _moment(node.get("value"), f"{path}.value"))


def _tag(node: dict[str, Any], path: str) -> Condition:
    _check_keys(node, {"type", "column", "key", "op", "value"}, path)
    key = node.get("key")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise InvalidInput(f"{path}.key", "give the name of a tag")
    tag = cast(VirtualAccount.manifest["tags"][key].as_string(), String)
    op = node.get("op")
    if isinstance(op, str) and op in _WHETHER:
        return _WHETHER[op](tag)
    return _compare(node, path, func.coalesce(tag, ""), func.lower(func.coalesce(tag, "")))


def _compare(node: dict[str, Any], path: str, exact: _Text, lowered: _Text) -> Condition:
    """Equality is exact; parts are looked for without regard to case, as databases differ in it."""
    ops = [*_EXACT, *_AMONG, *_PARTS, *(_WHETHER if "key" in node else ())]
    op, value = str(node.get("op")), node.get("value")
    _one_of(node.get("op"), dict.fromkeys(ops), f"{path}.op")
    if op in _AMONG:
        if not isinstance(value, list) or not 0 < len(value) <= _MOST_VALUES:
            raise InvalidInput(f"{path}.value", f"give a list of 1 to {_MOST_VALUES} texts")
        texts = [_text(one, f"{path}.value.{number}") for number, one in enumerate(value)]
        return _AMONG[op](exact, texts)
    text = _text(value, f"{path}.value")
    if op in _EXACT:
        return _EXACT[op](exact, text)
    return _PARTS[op](lowered, text.lower())


_EXACT: dict[str, Callable[[_Text, str], Condition]] = {
    "EQUAL": lambda column, value: column == value,
    "NOT_EQUAL": lambda column, value: column != value,
}
_EXACT |= {"EQUALS": _EXACT["EQUAL"], "EQ": _EXACT["EQUAL"]}
_AMONG: dict[str, Callable[[_Text, list[str]], Condition]] = {
    "IN": lambda column, values: column.in_(values),
    "NOT_IN": lambda column, values: column.not_in(values),
}
_PARTS: dict[str, Callable[[_Text, str], Condition]] = {
    "STRING_CONTAINS": lambda column, part: column.contains(part, autoescape=True),
    "STRING_NOT_CONTAINS": lambda column, part: ~column.contains(part, autoescape=True),
    "STRING_STARTS_WITH": lambda column, part: column.startswith(part, autoescape=True),
    "STRING_ENDS_WITH": lambda column, part: column.endswith(part, autoescape=True),
}
_WHETHER: dict[str, Callable[[_Text], Condition]] = {
    "PRESENT": lambda column: column.is_not(None),
    "IS_NULL": lambda column: column.is_(None),
}
_ORDER: dict[str, Callable[[Any, datetime], Condition]] = {
    "GREATER_THAN": lambda column, moment: column > moment,
    "GREATER_THAN_EQUAL": lambda column, moment: column >= moment,
    "LESS_THAN": lambda column, moment: column < moment,
    "LESS_THAN_EQUAL": lambda column, moment: column <= moment,
}
_COLUMNS: dict[str, Callable[[dict[str, Any], str], Condition]] = {
    "name": _name,
    "createdAt": _created,
    "manifest.tags": _tag,
}


def _one_of(given: Any, allowed: Mapping[str, Meaning], path: str) -> Meaning:
    if not isinstance(given, str) or given not in allowed:
        raise InvalidInput(path, f"give one of {', '.join(allowed)}")
    return allowed[given]


def _check_keys(node: dict[str, Any], allowed: set[str], path: str) -> None:
    if node.keys() - allowed:
        raise InvalidInput(path, f"give nothing but {', '.join(sorted(allowed))}")


def _text(value: Any, path: str) -> str:
    if isinstance(value, str) and len(value) <= _LONGEST and value.isprintable():
        return value
    raise InvalidInput(path, f"give a text of at most {_LONGEST} characters")


def _moment(value: Any, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput(path, "give a moment like 2026-03-02T09:00:00Z") from None
