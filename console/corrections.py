"""What whoever sent a form has to correct: said beside the field, or above all of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from console.refusals import explained
from core.errors import Conflict, Forbidden, InvalidInput, KeyturnError, Stale
from core.tokens import without_tokens

# What a form is shown again for; everything else is a page of its own.
CORRECTABLE = (InvalidInput, Conflict, Forbidden)


@dataclass(frozen=True)
class Corrections:
    """Why a form was not taken, and with which status it is shown again."""

    status: int = HTTPStatus.OK
    said: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """What is said beside this field; nothing if it is good."""
        return self.beside.get(name, "")


NOTHING = Corrections()


def corrections_of(
    error: KeyturnError,
    fields: Collection[str],
    names: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Corrections:
    """As the form with these fields says it.

    `names` are fields by what the use case calls them, if that is something else. What is wrong
    with one line of a field is said beside the field, and quotes the line from what was `given`.
    What somebody else changed meanwhile is no matter of the form: that is raised again.
    """
    if isinstance(error, Stale):
        raise error
    status = explained(error).status
    if isinstance(error, InvalidInput):
        found = error.field
        while (names or {}).get(found, found) not in fields and "." in found:
            found = found.rpartition(".")[0]
        name = (names or {}).get(found, found)
        if name in fields:
            said = str(error).removeprefix(f"{error.field}: ")
            line = _line(given or {}, error.field)
            return Corrections(
                status, beside={name: _sentence(f"{line}: {said}" if line else said)}
            )
    return Corrections(status, said=without_tokens(str(error)))


def _line(given: Mapping[str, Any], field: str) -> str:
    """The text that an error of `members.3` is about."""
    name, _, number = field.partition(".")
    lines = given.get(name)
    if isinstance(lines, list) and number.isdecimal() and int(number) < len(lines):
        return str(lines[int(number)])
    return ""


def _sentence(text: str) -> str:
    """It begins with what was written, or with a capital letter."""
    first = text.split(" ", 1)[0]
    start = text if "@" in first else text[:1].upper() + text[1:]
    return start + ("" if start.endswith((".", "?", "!")) else ".")
