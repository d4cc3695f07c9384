"""Every call that the service offers, read from its own OpenAPI document."""

from dataclasses import dataclass
from typing import Any, cast

from api.app import create_app
from services.runtime import Runtime

# Whoever asks these needs no token, or the token is what is asked about.
PUBLIC = {"/healthz", "/readyz", "/api/v1/verify"}


@dataclass(frozen=True)
class Route:
    """One method of one path, with the least body that is valid."""

    method: str
    path: str
    body: dict[str, Any] | None

    @property
    def has_ids(self) -> bool:
        return "{" in self.path

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """All of them but the public ones."""
    document = create_app(cast("Runtime", None)).openapi()
    return [
        Route(method.upper(), path, _body(document, operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path not in PUBLIC
    ]


def _body(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    if "requestBody" not in operation:
        return None
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    needed = schema.get("required", [])
    return {name: _least(schema["properties"][name]) for name in needed}


def _least(schema: dict[str, Any]) -> Any:
    least = {"object": {}, "array": [], "string": "x", "number": 1, "integer": 1, "boolean": False}
    return least[schema["type"]]
