"""Every call that the service offers, read from its own OpenAPI document."""

import re
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import httpx

from api.app import create_app
from core.clock import HostClock
from core.settings import Settings
from services.runtime import Runtime
from tests.api.access_table import PUBLIC, TABLE

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Route:
    """One method of one path, with a body that is valid, and the names of things in them."""

    method: str
    path: str
    body: Any
    query: dict[str, str]
    is_form: bool = False

    @property
    def needs(self) -> set[str]:
        """The things that the call is about."""
        return set(re.findall(r"\{(\w+)\}", f"{self.path} {_texts(self.body)} {self.query}"))

    def call(
        self, http: httpx.Client, names: dict[str, str], token: str | None = None
    ) -> httpx.Response:
        """Makes the call about these things."""
        return http.request(
            self.method,
            _filled(self.path, names),
            **{"data" if self.is_form else "json": _filled(self.body, names)},
            params=_filled(self.query, names),
            headers={"Authorization": f"Bearer {token}"} if token else None,
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@cache
def described() -> dict[str, Any]:
    """The OpenAPI document, of an application over nothing."""
    nothing = SimpleNamespace(settings=Settings(), clock=HostClock())
    return create_app(cast("Runtime", nothing)).openapi()


def routes() -> list[Route]:
    """All of them but the public ones."""
    return [route for route in all_routes() if str(route) not in PUBLIC]


def all_routes() -> list[Route]:
    document = described()
    found = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            row = TABLE.get(f"{method.upper()} {path}")
            body = row.body if row and row.body else _least_body(document, operation)
            is_form = _FORM in operation.get("requestBody", {}).get("content", {})
            found.append(Route(method.upper(), path, body, row.query if row else {}, is_form))
    return found


def _least_body(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    if "requestBody" not in operation:
        return None
    (content,) = operation["requestBody"]["content"].values()
    return _least(document, content["schema"])


def _least(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return _least(document, schema["anyOf"][0])
    if schema.get("type") == "object":
        needed = schema.get("required", [])
        return {name: _least(document, schema["properties"][name]) for name in needed}
    if "enum" in schema:
        return schema["enum"][0]
    plain = {"array": [], "string": "x", "number": 1, "integer": 1, "boolean": False}
    return schema["const"] if "const" in schema else plain[schema["type"]]


def _filled(given: Any, names: dict[str, str]) -> Any:
    if isinstance(given, str):
        return re.sub(r"\{(\w+)\}", lambda found: names[found[1]], given)
    if isinstance(given, dict):
        return {key: _filled(value, names) for key, value in given.items()}
    return [_filled(item, names) for item in given] if isinstance(given, list) else given


def _texts(given: Any) -> str:
    if isinstance(given, dict):
        return " ".join(_texts(value) for value in given.values())
    if isinstance(given, list):
        return " ".join(_texts(item) for item in given)
    return str(given)
