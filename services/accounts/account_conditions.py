"""Conditions of a filter: which columns of a virtual account can be compared, and how."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, String, cast, func
from sqlalchemy.sql.elements import SQLColumnExpression

from core.errors import InvalidInput
from models import VirtualAccount

MOST_VALUES = 100

_LONGEST = 320
_KEY = re.compile(r'[^"\\\x00-\x1f]{1,100}')

Condition = ColumnElement[bool]
Meaning = TypeVar("Meaning")
_Text = SQLColumnExpression[str]


def condition(node: dict[str, Any], path: str) -> Condition:
    """One comparison; InvalidInput says what is allowed in its place."""
    return one_of(node.get("column"), _COLUMNS, f"{path}.column")(node, path)


def _name(node: dict[str, Any], path: str) -> Condition:
    check_keys(node, {"type", "column", "op", "value"}, path)
    return _compare(node, path, VirtualAccount.name, VirtualAccount.name)


def _created(node: dict[str, Any], path: str) -> Condition:
    check_keys(node, {"type", "column", "op", "value"}, path)
    compare = one_of(node.get("op"), _ORDER, f"{path}.op")
    return compare(VirtualAccount.created_at, _moment(node.get("value"), f"{path}.value"))


def _tag(node: dict[str, Any], path: str) -> Condition:
    check_keys(node, {"type", "column", "key", "op", "value"}, path)
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
    one_of(node.get("op"), dict.fromkeys(ops), f"{path}.op")
    if op in _AMONG:
        if not isinstance(value, list) or not 0 < len(value) <= MOST_VALUES:
            raise InvalidInput(f"{path}.value", f"give a list of 1 to {MOST_VALUES} texts")
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


def one_of(given: Any, allowed: Mapping[str, Meaning], path: str) -> Meaning:
    """What this word means; InvalidInput says which words there are."""
    if not isinstance(given, str) or given not in allowed:
        raise InvalidInput(path, f"give one of {', '.join(allowed)}")
    return allowed[given]


def check_keys(node: dict[str, Any], allowed: set[str], path: str) -> None:
    """InvalidInput for what is no part of this node."""
    if node.keys() - allowed:
        raise InvalidInput(path, f"give nothing but {', '.join(sorted(allowed))}")
