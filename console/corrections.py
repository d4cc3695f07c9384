"""What whoever sent a form has to correct: said beside the field, or above all of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from console.refusals import explained
from core.errors import Conflict, Forbidden, InvalidInput, KeyturnError
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
    error: KeyturnError, fields: Collection[str], names: Mapping[str, str] | None = None
) -> Corrections:
    """As the form with these fields says it.

    `names` are fields by what the use case calls them, if that is something else. What is wrong
    below a field is said beside it.
    """
    status = explained(error).status
    if isinstance(error, InvalidInput):
        found, below = error.field, ""
        while (names or {}).get(found, found) not in fields and "." in found:
            found, _, part = found.rpartition(".")
            below = f"{part}.{below}".rstrip(".")
        name = (names or {}).get(found, found)
        if name in fields:
            said = str(error).removeprefix(f"{error.field}: ")
            return Corrections(status, beside={name: _sentence(said, below)})
    return Corrections(status, said=without_tokens(str(error)))


def _sentence(said: str, below: str = "") -> str:
    """`below` is which of several: the third line of a text is 2."""
    where = f"line {int(below) + 1}: " if below.isdecimal() else ""
    text = f"{where}{said}"
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
