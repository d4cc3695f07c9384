"""A plugin's configuration as the values of its form's fields, and back. Pure.

Whether a value is allowed is for the plugin to say: what cannot be read as a number goes on as
the text it is.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from console.schema_fields import TAG, Field, Kind

Values = dict[str, str]
Given = Mapping[str, str]
Config = dict[str, Any]

YES = "yes"

_MOST_ROWS = 200
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")


def values_of(fields: Iterable[Field], config: Mapping[str, Any]) -> Values:
    """What stands in the form for this configuration."""
    found: Values = {}
    for field in fields:
        found |= _values(field, config.get(field.key))
    return found


def config_of(fields: Iterable[Field], values: Given) -> Config:
    """The configuration that the form asks for. What is empty is left out."""
    found: Config = {}
    for field in fields:
        value = _config(field, values)
        if value is not None:
            found[field.key] = value
    return found


def changed(fields: Iterable[Field], values: Given, base: Mapping[str, Any]) -> Config:
    """The same, where `base` was before: what nobody has touched stays as it was written."""
    before, after = config_of(fields, values_of(fields, base)), config_of(fields, values)
    known = {field.key for field in fields}
    kept = {
        key: value
        for key, value in base.items()
        if key not in known or before.get(key) == after.get(key)
    }
    new = {key: value for key, value in after.items() if before.get(key) != value}
    return {**kept, **new}


def name_of(fields: Iterable[Field], values: Given, path: str) -> str:
    """The form's name of what the configuration calls `auth_data.token`; "" if it has none."""
    key, _, rest = path.partition(".")
    for field in fields:
        if field.key != key:
            continue
        if not rest:
            return field.name
        if field.kind is Kind.UNION:
            word = values.get(field.name, "")
            below = next((one.fields for one in field.branches if one.word == word), ())
            return name_of(below, values, rest) or field.name
        if field.kind is Kind.GROUP:
            return name_of(field.fields, values, rest) or field.name
        return field.name
    return ""


def rows_of(field: Field, values: Given) -> list[tuple[str, str]]:
    """The pairs that are filled in, in their order."""
    found = []
    for number in range(_MOST_ROWS):
        name = values.get(f"{field.name}.{number}.name")
        if name is None:
            break
        if name.strip():
            found.append((name.strip(), values.get(f"{field.name}.{number}.value", "")))
    return found


def _values(field: Field, value: Any) -> Values:
    return _WRITTEN.get(field.kind, _text_values)(field, value)


def _text_values(field: Field, value: Any) -> Values:
    return {field.name: "" if value is None else str(value)}


def _group_values(field: Field, value: Any) -> Values:
    return values_of(field.fields, _mapping(value))


def _union_values(field: Field, value: Any) -> Values:
    """Where no word stands the first way is meant."""
    given = _mapping(value)
    word = str(given.get(TAG) or (field.branches[0].word if given else ""))
    found = {field.name: word}
    for branch in field.branches:
        found |= values_of(branch.fields, given if branch.word == word else {})
    return found


def _pair_values(field: Field, value: Any) -> Values:
    found = {}
    for number, (name, one) in enumerate(_mapping(value).items()):
        found[f"{field.name}.{number}.name"] = str(name)
        found[f"{field.name}.{number}.value"] = str(one)
    return found


def _line_values(field: Field, value: Any) -> Values:
    return {field.name: "\n".join(map(str, value or ()))}


def _switch_values(field: Field, value: Any) -> Values:
    return {field.name: YES if (field.default if value is None else value) else ""}


def _choice_values(field: Field, value: Any) -> Values:
    return {field.name: str(field.default or "" if value is None else value)}


_WRITTEN: dict[Kind, Callable[[Field, Any], Values]] = {
    Kind.GROUP: _group_values,
    Kind.UNION: _union_values,
    Kind.PAIRS: _pair_values,
    Kind.SECRET_PAIRS: _pair_values,
    Kind.LINES: _line_values,
    Kind.SWITCH: _switch_values,
    Kind.CHOICE: _choice_values,
}


def _config(field: Field, values: Given) -> Any:
    """The field's value; None if it is left out."""
    return _READ.get(field.kind, _text)(field, values)


def _text(field: Field, values: Given) -> Any:
    return values.get(field.name, "").strip() or None


def _exact(field: Field, values: Given) -> Any:
    """Blanks around a secret may be part of it."""
    return values.get(field.name, "") or None


def _group(field: Field, values: Given) -> Any:
    return config_of(field.fields, values) or ({} if field.is_required else None)


def _union(field: Field, values: Given) -> Any:
    word = values.get(field.name, "")
    branch = next((one for one in field.branches if one.word == word), None)
    return {TAG: branch.word, **config_of(branch.fields, values)} if branch else None


def _pairs(field: Field, values: Given) -> Any:
    return dict(rows_of(field, values)) or None


def _lines(field: Field, values: Given) -> Any:
    lines = [line.strip() for line in values.get(field.name, "").splitlines() if line.strip()]
    return [_number(line) if field.is_whole else line for line in lines] or None


def _switch(field: Field, values: Given) -> Any:
    is_on = values.get(field.name, "") == YES
    return None if is_on == bool(field.default) else is_on


def _choice(field: Field, values: Given) -> Any:
    given = values.get(field.name, "")
    return None if given in {"", field.default} else given


def _amount(field: Field, values: Given) -> Any:
    text = values.get(field.name, "").strip()
    return _number(text) if text else None


_READ: dict[Kind, Callable[[Field, Given], Any]] = {
    Kind.SECRET: _exact,
    Kind.SECRET_AREA: _exact,
    Kind.AREA: _exact,
    Kind.GROUP: _group,
    Kind.UNION: _union,
    Kind.PAIRS: _pairs,
    Kind.SECRET_PAIRS: _pairs,
    Kind.LINES: _lines,
    Kind.SWITCH: _switch,
    Kind.CHOICE: _choice,
    Kind.NUMBER: _amount,
}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(text: str) -> int | float | str:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
