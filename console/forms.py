"""What a form sent, read in one place and with bounds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.requests import Request

from core.errors import InvalidInput

_MOST_FIELDS = 2_000
_KIND = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form. One that was not sent is empty."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """One value, without space around it."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """One value as it was sent."""
        values = self._fields.get(name, ())
        return values[0] if values else ""

    def all(self, name: str) -> list[str]:
        """Every value under this name, in order, without space around them."""
        return [value.strip() for value in self._fields.get(name, ())]

    def flag(self, name: str) -> bool:
        """Whether a box is ticked."""
        return name in self._fields

    def names(self) -> list[str]:
        return list(self._fields)


async def _form(request: Request) -> Form:
    """The form in the request's body; what is no form is an empty one."""
    if not request.headers.get("Content-Type", "").startswith(_KIND):
        return Form({})
    body = (await request.body()).decode(errors="replace")
    fields: dict[str, list[str]] = defaultdict(list)
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InvalidInput("form", f"send at most {_MOST_FIELDS} fields") from None
    for name, value in pairs:
        fields[name].append(value.replace("\r\n", "\n"))
    return Form(fields)


Sent = Annotated[Form, Depends(_form)]
