"""How a user says where a store answers, and which authorities it is to be trusted by."""

import os
import ssl
import tempfile
import weakref
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from core.plugins import PEM


def _readable(text: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError, TypeError):
        raise ValueError("give the certificates themselves as PEM text, not a path") from None
    return text


Address = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, pattern=r"^https?://[^/\s@?#]+(/[^\s@?#]*)?$", max_length=512
    ),
]
"""An http(s) URL without user, query or fragment."""

CaBundle = Annotated[
    str, Field(max_length=200_000, json_schema_extra=PEM), AfterValidator(_readable)
]
"""One or more certificates as PEM text, never a path."""


class TrustFile:
    """PEM text as a file, since client libraries want one; only this user can read it.

    It is there until `remove` or the object's end; removing it twice does nothing.
    """

    def __init__(self, pem: str) -> None:
        descriptor, self.path = tempfile.mkstemp(prefix="keyturn-ca-", suffix=".pem")
        with os.fdopen(descriptor, "w") as file:
            file.write(pem)
        self.remove = weakref.finalize(self, Path(self.path).unlink, missing_ok=True)
