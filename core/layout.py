"""How a token is laid out in a place: bare, or in a JSON or dotenv document with facts beside it.

The forms are fixed ones with chosen names; a template language of tenants would be a way in.
"""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

_LONGEST_NAME = 128
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+-]*")
_ONE_VALUE = "token"  # how a store of named values calls it, if nothing else is said


class Form(StrEnum):
    """What is written: the token alone, or a document."""

    BARE = "bare"
    JSON = "json"
    DOTENV = "dotenv"


class Fact(StrEnum):
    """What a document can say. All but the token may be empty."""

    TOKEN = "token"
    ACCOUNT = "account"
    GENERATION = "generation"
    ROTATED_AT = "rotated-at"
    PREVIOUS_VALID_UNTIL = "previous-valid-until"
    NEXT_ROTATION = "next-rotation"
    VALID_UNTIL = "valid-until"


def _field(name: str) -> str:
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        raise ValueError(f"a field's name has 1 to {_LONGEST_NAME} printable characters")
    return name


FieldName = Annotated[str, AfterValidator(_field)]


class Layout(BaseModel):
    """A form, and for a document which field says what."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    form: Form = Form.BARE
    fields: Annotated[dict[FieldName, Fact], Field(min_length=1, max_length=20)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        fields = self.fields or {}
        if fields and self.form is Form.BARE:
            raise ValueError("fields belong to the forms json and dotenv")
        if fields and Fact.TOKEN not in fields.values():
            raise ValueError("one of the fields has to be the token")
        if self.form is Form.DOTENV and not all(map(_VARIABLE.fullmatch, fields)):
            raise ValueError("a variable's name has letters, digits and underscores")
        return self

    def entries(self, token: SecretStr, facts: Mapping[str, str]) -> dict[str, str]:
        """Names and values, for a store whose secrets are documents by nature."""
        if self.form is Form.JSON:
            return self._said(token, facts)
        return {_ONE_VALUE: self.text(token, facts).get_secret_value()}

    def text(self, token: SecretStr, facts: Mapping[str, str]) -> SecretStr:
        """The one value that is written; the same bytes for the same token and facts."""
        if self.form is Form.BARE:
            return token
        said = self._said(token, facts)
        if self.form is Form.JSON:
            return SecretStr(json.dumps(said, ensure_ascii=False))
        return SecretStr("".join(f"{name}={_quoted(value)}\n" for name, value in said.items()))

    def _said(self, token: SecretStr, facts: Mapping[str, str]) -> dict[str, str]:
        said = {**facts, Fact.TOKEN: token.get_secret_value()}
        return {name: said.get(fact) or "" for name, fact in (self.fields or _USUAL).items()}


_USUAL = {"TFY_API_KEY": Fact.TOKEN, "OPENAI_API_KEY": Fact.TOKEN}
BARE = Layout()


def _quoted(value: str) -> str:
    """A value as every reader of .env files takes it."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
