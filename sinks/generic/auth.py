"""How a generic store knows Keyturn: by headers of the user's choice."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]{0,8000}[!-~])?")
_MOST_HEADERS = 20
_OURS = {
    "accept",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def _named(headers: Any) -> Any:
    """As a whole, since an error about one header would quote its name, or what stands for it."""
    if not isinstance(headers, dict) or not 1 <= len(headers) <= _MOST_HEADERS:
        raise ValueError(f"give 1 to {_MOST_HEADERS} headers by name")
    if not all(isinstance(name, str) and _HEADER_NAME.fullmatch(name) for name in headers):
        raise ValueError("a header's name has letters, digits and dashes")
    if not all(isinstance(value, str | SecretStr) for value in headers.values()):
        raise ValueError("a header's value is text")
    lower = [name.lower() for name in headers]
    if len(set(lower)) < len(lower):
        raise ValueError("a header is given twice")
    if _OURS & set(lower):
        raise ValueError("Keyturn sets Host, Content-..., If-... and Idempotency-Key itself")
    return headers


def _sendable(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    if not all(_HEADER_VALUE.fullmatch(value.get_secret_value()) for value in headers.values()):
        raise ValueError("a header's value is printable ASCII without spaces at its ends")
    return headers


class HeaderAuth(BaseModel):
    """Fixed headers that every call carries, as an API key or a bearer token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["header"] = "header"
    headers: Annotated[dict[str, SecretStr], BeforeValidator(_named), AfterValidator(_sendable)]
