"""Secret groups of the built-in store: their manifests, their keys, and how they are named."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
)

from core.errors import InvalidInput
from core.fields import Name, check_name
from core.parsing import parse

# The one integration of a tenant behind all its groups. Keyturn makes it; nobody configures it.
KIND = "custom/secret-groups"
PROVIDER, ACCOUNT, STORE = "custom", "built-in", "secrets"

LONGEST_VALUE = 65_536  # bytes
_MOST = 500  # keys of one group

_KEY = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SUBJECT = r"^(user|team|virtualaccount):[^\s]{1,320}$"


def check_key(key: str) -> str:
    """The one rule for keys; ValueError says what is allowed."""
    if not _KEY.fullmatch(key):
        raise ValueError(
            "a key has 1 to 128 characters: letters, digits, underscores, dots and hyphens"
        )
    return key


def _check_value(value: SecretStr) -> SecretStr:
    try:
        size = len(value.get_secret_value().encode())
    except UnicodeEncodeError:
        raise ValueError("this text has half a surrogate pair") from None
    if size > LONGEST_VALUE:
        raise ValueError(f"a value has at most {LONGEST_VALUE} bytes")
    return value


Key = Annotated[str, AfterValidator(check_key)]
Value = Annotated[SecretStr, AfterValidator(_check_value)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


class Collaborator(_Part):
    """A subject that holds a role on the group."""

    subject: Annotated[str, StringConstraints(pattern=_SUBJECT)]
    role_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class GroupOwner(_Part):
    account: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SecretGroupManifest(_Part):
    """What a secret group should be. Its values are not in it."""

    name: Name
    type: Literal["secret-group"] = "secret-group"
    integration_fqn: str | None = None
    collaborators: Annotated[list[Collaborator], Field(max_length=500)] | None = None
    owned_by: GroupOwner | None = None


class GivenSecret(BaseModel):
    """A key and its value; without a value, the key stays as it is."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, defer_build=True)

    key: Key
    value: Value | None = None


def built_in_fqn(tenant: str) -> str:
    """The FQN of a tenant's built-in secret store."""
    return f"{tenant}:{PROVIDER}:{ACCOUNT}:secret-store:{STORE}"


def read_secrets(given: Sequence[dict[str, Any]]) -> list[GivenSecret]:
    """Reads keys and values; InvalidInput names the first wrong field and quotes nothing."""
    adapter = TypeAdapter(Annotated[list[GivenSecret], Field(max_length=_MOST)])
    secrets = parse(adapter, list(given), below="secrets.")
    seen: set[str] = set()
    for number, secret in enumerate(secrets):
        if secret.key in seen:
            raise InvalidInput(f"secrets.{number}.key", "this key is given twice")
        seen.add(secret.key)
    return secrets


def split_path(path: str) -> tuple[str, str]:
    """The group and the key of a place `<group>/<key>`; ValueError says what is allowed."""
    group, slash, key = path.strip("/").partition("/")
    if not (slash and group):
        raise ValueError("a place in the built-in store is <secret group>/<key>")
    return check_name(group), check_key(key)
