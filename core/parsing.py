"""Reading what clients send: pydantic's errors become ours, and quote nothing of it."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from core.errors import InvalidInput

Model = TypeVar("Model")


def parse(adapter: TypeAdapter[Model], given: Any, *, below: str = "") -> Model:
    """Validates; turns pydantic's errors into ours, without quoting what was given."""
    try:
        return adapter.validate_python(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = _path(first["loc"], given, is_missing=first["type"] == "missing")
        field = (below + ".".join(path)).removesuffix(".")
        raise InvalidInput(field or "manifest", _said(first)) from None


def _path(location: Sequence[int | str], given: Any, *, is_missing: bool) -> Iterator[str]:
    """The field's path in what was given; pydantic names the branches of a union on the way."""
    for number, part in enumerate(location):
        if _has(given, part):
            given = given[part]
        elif not (is_missing and number == len(location) - 1):
            continue
        yield str(part)


def _has(given: Any, part: int | str) -> bool:
    if isinstance(given, dict):
        return part in given
    return isinstance(given, list) and isinstance(part, int) and part < len(given)


def _said(error: ErrorDetails) -> str:
    """Pydantic's words, except where they quote what was given."""
    if error["type"] == "union_tag_invalid":
        return f"give one of {error['ctx']['expected_tags']}"
    return error["msg"].removeprefix("Value error, ")
