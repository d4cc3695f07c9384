"""What Kubernetes allows names to be: of namespaces, secrets, keys, labels and annotations."""

import hashlib
import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from core.errors import PlaceRefused

DOMAIN = "keyturn.dev"
DEFAULT_KEY = "token"

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_NAMESPACE = re.compile(_LABEL)
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")
# Types by which the cluster itself does something with what stands in a secret.
_RESERVED = re.compile(r"(bootstrap\.)?kubernetes\.io/.*|helm\.sh/.*")


def split_path(path: str, namespace: str) -> tuple[str, str]:
    """The namespace and the name in `[namespace/]name`; PlaceRefused says what is allowed."""
    parts = [part for part in path.split("/") if part]
    if len(parts) == 1:
        parts = [namespace, *parts]
    if len(parts) != 2 or not (  # noqa: PLR2004 - a namespace and a name
        _NAMESPACE.fullmatch(parts[0]) and _SUBDOMAIN.fullmatch(parts[1])
    ):
        raise PlaceRefused(
            "a path is [namespace/]name, each of lowercase letters, digits and hyphens; "
            "a name may have dots"
        )
    return parts[0], parts[1]


def check_key(given: str | None) -> str:
    """The key of a place, `token` unless given; PlaceRefused says what is allowed."""
    key = given or DEFAULT_KEY
    if not _KEY.fullmatch(key) or key in {".", ".."} or key.startswith(".."):
        raise PlaceRefused("a key has 1 to 253 letters, digits, hyphens, underscores and dots")
    return key


def annotation(key: str) -> str:
    """The annotation that belongs to a key; the keys that no annotation can be named by, hashed."""
    name = f"key.{key}"
    if not _QUALIFIED.fullmatch(name):
        name = f"sha256.{hashlib.sha256(key.encode()).hexdigest()[:40]}"
    return f"{DOMAIN}/{name}"


def is_entry(name: str) -> bool:
    """Whether an annotation belongs to a key."""
    return name.startswith((f"{DOMAIN}/key.", f"{DOMAIN}/sha256."))


CREATED = f"{DOMAIN}/created-by"
"""The annotation of secrets that Keyturn made, which go when their last key does."""


def _namespace(name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise ValueError("a namespace has 1 to 63 lowercase letters, digits and hyphens")
    return name


def _label_key(name: str) -> str:
    prefix, slash, last = name.rpartition("/")
    if not _QUALIFIED.fullmatch(last) or (slash and not _SUBDOMAIN.fullmatch(prefix)):
        raise ValueError("a label's name is [domain/]name, the name of 1 to 63 characters")
    if prefix == DOMAIN:
        raise ValueError(f"what begins with {DOMAIN}/ is Keyturn's own")
    return name


def _label_value(value: str) -> str:
    if value and not _QUALIFIED.fullmatch(value):
        raise ValueError("a label's value has at most 63 letters, digits, hyphens and dots")
    return value


def _type(name: str) -> str:
    if _RESERVED.fullmatch(name):
        raise ValueError("types of kubernetes.io and helm.sh do something of their own: Opaque")
    return name


Namespace = Annotated[str, AfterValidator(_namespace)]
LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, Field(coerce_numbers_to_str=True), AfterValidator(_label_value)]
SecretType = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]*$", max_length=253),
    AfterValidator(_type),
]
