"""A service account's key file as Google gives it out: its text, read by an allow-list."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.auth import crypt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from core.plugins import JSON

PROJECT = r"([a-z0-9.-]{1,80}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
_LONGEST = 20_000
_EMAIL = re.compile(r"[A-Za-z0-9._-]{1,100}@[a-z0-9.-]{1,200}")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
# What key files name, old ones the second; whatever they name, Keyturn asks the first.
_TOKEN_URIS = (
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
)


@dataclass(frozen=True)
class ServiceAccountKey:
    """What Keyturn reads of a key file. All else in it is passed over."""

    client_email: str
    private_key_id: str
    project_id: str
    signer: Any = field(repr=False)


def read_key(text: str) -> ServiceAccountKey:
    """Reads a key file. ValueError says what is allowed, and quotes nothing of it."""
    document = _object(text)
    if document.get("type") != "service_account":
        raise ValueError(
            "give the key file of a service account: a JSON document whose type is "
            "service_account. Workload identity federation is used as the identity of Keyturn's "
            "own host"
        )
    if document.get("token_uri", _TOKEN_URIS[0]) not in _TOKEN_URIS:
        raise ValueError("token_uri is Google's own, https://oauth2.googleapis.com/token")
    if document.get("universe_domain", "googleapis.com") != "googleapis.com":
        raise ValueError("universe_domain is googleapis.com")
    email, key_id = document.get("client_email"), document.get("private_key_id", "")
    if not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        raise ValueError("client_email is the service account's address")
    if not (isinstance(key_id, str) and (not key_id or _KEY_ID.fullmatch(key_id))):
        raise ValueError("private_key_id has letters and digits")
    project = document.get("project_id")
    is_project = isinstance(project, str) and re.fullmatch(PROJECT, project)
    signer = _signer(document.get("private_key"), key_id)
    return ServiceAccountKey(email, key_id, str(project) if is_project else "", signer)


def _object(text: str) -> dict[str, Any]:
    found: Any = None
    with suppress(ValueError, RecursionError):  # the error holds the document: nothing chains it
        found = json.loads(text) if len(text) <= _LONGEST else None
    return found if isinstance(found, dict) else {}


def _signer(pem: Any, key_id: str) -> Any:
    key: Any = None
    if isinstance(pem, str):
        with suppress(ValueError, TypeError, UnsupportedAlgorithm):  # the error may quote the key
            key = load_pem_private_key(pem.encode("utf-8", "replace"), password=None)
    if not isinstance(key, RSAPrivateKey):
        why = "private_key is an RSA key as PEM text, without a passphrase"
        raise ValueError(why)  # noqa: TRY004 - pydantic's way
    signer: Any = crypt.RSASigner
    return signer(key, key_id or None)


def _content(given: Any) -> Any:
    """A document, or the text of one; checked before it is kept as a secret."""
    if isinstance(given, SecretStr):
        given = given.get_secret_value()
    text = json.dumps(given, default=str) if isinstance(given, dict) else given
    if not isinstance(text, str):
        raise ValueError("give the key file's JSON document, or the text of it")  # noqa: TRY004 - pydantic's way
    read_key(text)
    return text


class KeyFileAuth(BaseModel):
    """The key of a service account."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["key-file"] = "key-file"
    key_file_content: Annotated[SecretStr, BeforeValidator(_content)] = Field(
        description="The JSON document of the key file, never a path.", json_schema_extra=JSON
    )

    @property
    def key(self) -> ServiceAccountKey:
        return read_key(self.key_file_content.get_secret_value())
