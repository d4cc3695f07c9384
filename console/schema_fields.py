"""The fields of a form, read from a plugin's JSON schema. Pure.

A choice of several ways to log in becomes one field with a branch for each way; a nested object
becomes a group. Names of fields are their path, with the branch's own word in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Schema = Mapping[str, Any]

TAG = "type"  # says which branch is meant

# What few people ever set: it stands apart.
_RARE = frozenset({"ca_bundle", "endpoint_url", "on_drift", "timeout"})
_LABELS = {"approle": "AppRole", "auth_data": "Login", "jwt": "JWT"}
_WORDS = {
    "arn": "ARN",
    "aws": "AWS",
    "ca": "CA",
    "id": "ID",
    "ids": "IDs",
    "jwt": "JWT",
    "kms": "KMS",
    "kubeconfig": "kubeconfig",
    "kv": "KV",
    "tls": "TLS",
    "url": "URL",
}


class Kind(StrEnum):
    """How a field is written."""

    TEXT = "text"
    AREA = "area"
    SECRET = "secret"
    SECRET_AREA = "secret-area"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    LINES = "lines"
    PAIRS = "pairs"
    SECRET_PAIRS = "secret-pairs"
    GROUP = "group"
    UNION = "union"


@dataclass(frozen=True)
class Field:
    """One field. `key` is what the configuration calls it, `name` what the form does."""

    key: str
    name: str
    label: str
    help: str
    kind: Kind
    is_required: bool
    default: Any = None
    options: tuple[str, ...] = ()
    is_whole: bool = False  # numbers without a fraction
    fields: tuple["Field", ...] = ()
    branches: tuple["Branch", ...] = ()

    @property
    def is_rare(self) -> bool:
        return self.key in _RARE and not self.is_required


@dataclass(frozen=True)
class Branch:
    """One of several ways; `word` is what stands in the configuration for it."""

    word: str
    label: str
    help: str
    fields: tuple[Field, ...]


def fields_of(schema: Schema) -> tuple[Field, ...]:
    """The fields of the whole schema, in its order."""
    return _fields(schema, schema, "")


def labelled(key: str) -> str:
    """A key as people read it: `kms_arn` is KMS ARN."""
    if key in _LABELS:
        return _LABELS[key]
    words = [_WORDS.get(word, word) for word in key.replace("-", "_").split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _fields(root: Schema, schema: Schema, below: str) -> tuple[Field, ...]:
    required = set(schema.get("required", ()))
    return tuple(
        _field(root, key, spec, below, is_required=key in required)
        for key, spec in schema.get("properties", {}).items()
        if not (key == TAG and "const" in spec)
    )


def _field(root: Schema, key: str, given: Schema, below: str, *, is_required: bool) -> Field:
    spec = _resolved(root, given)
    name = f"{below}{key}"
    kind = _kind(spec)
    return Field(
        key=key,
        name=name,
        label=labelled(key),
        help=str(given.get("description") or spec.get("description") or "").split("\n\n")[0],
        kind=kind,
        is_required=is_required,
        default=given.get("default"),
        options=tuple(map(str, spec.get("enum", ()))),
        is_whole=spec.get("type") == "integer" or _items(spec).get("type") == "integer",
        fields=_fields(root, spec, f"{name}.") if kind is Kind.GROUP else (),
        branches=_branches(root, spec, name) if kind is Kind.UNION else (),
    )


def _branches(root: Schema, spec: Schema, name: str) -> tuple[Branch, ...]:
    found = []
    for one in spec["oneOf"]:
        branch = _resolved(root, one)
        word = str(branch["properties"][TAG]["const"])
        about = str(branch.get("description", "")).split("\n\n")[0]
        fields = _fields(root, branch, f"{name}.{word}.")
        found.append(Branch(word, labelled(word), about, fields))
    return tuple(found)


def _resolved(root: Schema, spec: Schema) -> Schema:
    """Without references, and without the null of what may be left out."""
    if "$ref" in spec:
        name = str(spec["$ref"]).rpartition("/")[2]
        return _resolved(root, root["$defs"][name])
    if "anyOf" in spec:
        some = [one for one in spec["anyOf"] if one.get("type") != "null"]
        if len(some) == 1:
            return _resolved(root, some[0])
    return spec


_BY_TYPE = {
    "array": Kind.LINES,
    "boolean": Kind.SWITCH,
    "number": Kind.NUMBER,
    "integer": Kind.NUMBER,
}


def _kind(spec: Schema) -> Kind:
    if "oneOf" in spec:
        return Kind.UNION
    if "enum" in spec:
        return Kind.CHOICE
    if spec.get("type") == "object":
        return _kind_of_object(spec)
    return _BY_TYPE.get(str(spec.get("type"))) or _kind_of_text(spec)


def _kind_of_object(spec: Schema) -> Kind:
    if "properties" in spec:
        return Kind.GROUP
    return Kind.SECRET_PAIRS if _is_secret(_values(spec)) else Kind.PAIRS


def _kind_of_text(spec: Schema) -> Kind:
    if "contentMediaType" in spec:
        return Kind.SECRET_AREA if _is_secret(spec) else Kind.AREA
    return Kind.SECRET if _is_secret(spec) else Kind.TEXT


def _is_secret(spec: Schema) -> bool:
    return spec.get("format") == "password"


def _values(spec: Schema) -> Schema:
    """What the values of a mapping are."""
    patterns = list(spec.get("patternProperties", {}).values())
    values: Schema = spec.get("additionalProperties") or (patterns[0] if patterns else {})
    return values if isinstance(values, Mapping) else {}


def _items(spec: Schema) -> Schema:
    items = spec.get("items")
    return items if isinstance(items, Mapping) else {}
