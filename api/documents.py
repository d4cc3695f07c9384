"""The OpenAPI document, complete with what every call may be refused with, and its pages."""

import base64
import re
from collections.abc import Iterator
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from api.described import EXAMPLES, MORE, REFUSALS, Refusal

_ASSETS = "/docs/assets"
# Changes nothing.
_ASKS = {"POST /api/v1/introspect", "POST /api/v1/identity-providers/explain"}
# Is refused as OAuth says it, and has said so itself.
_OAUTH = {"POST /api/v1/oauth2/token"}
_FILES = Path(fastapi_offline.__file__).parent / "static"
_METHODS = {"get", "put", "post", "patch", "delete"}
_ERROR = {
    "type": "object",
    "description": "How every refusal is answered.",
    "required": ["statusCode", "message", "code", "details"],
    "properties": {
        "statusCode": {"type": "integer", "examples": [404]},
        "message": {"type": "string", "examples": ["There is no virtual account 'x' here."]},
        "code": {
            "type": "string",
            "description": "Stable; programs read this one.",
            "examples": ["not_found"],
        },
        "details": {
            "type": ["array", "null"],
            "description": "Each wrong field, and what it allows.",
            "items": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
}

router = APIRouter(include_in_schema=False)


class Documented(FastAPI):
    """An application whose OpenAPI document says how its calls are refused."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def assets() -> StaticFiles:
    """Swagger's own files, served by us; mount it at `/docs/assets`."""
    return StaticFiles(directory=_FILES)


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """The document as pages on which calls can be tried. Nothing comes from elsewhere."""
    root = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=f"{request.app.title} API",
        swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{root}{_ASSETS}/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},  # else it asks swagger.io for a badge
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
    return page


def _policy(html: str) -> str:
    """Allows what we serve and the page's own script, by its hash."""
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = [base64.b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(["'self'", *(f"'sha256-{one}'" for one in hashes)])
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own; ours differs
        schemas.pop(name, None)
    schemas["Error"] = _ERROR
    components["responses"] = {name: _response(refusal) for name, refusal in REFUSALS.items()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in _METHODS:
                _complete(f"{method.upper()} {path}", operation)
    return document


def _complete(call: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    refusals = () if call in _OAUTH else _refusals(call, operation)
    for status in {*refusals, *MORE.get(call, ())}:
        name = next(name for name, one in REFUSALS.items() if one.status == status)
        responses.setdefault(str(int(status)), {"$ref": f"#/components/responses/{name}"})
    operation["responses"] = dict(sorted(responses.items()))
    if call in EXAMPLES:
        body = operation["requestBody"]["content"]["application/json"]
        body["examples"] = {name: {"value": value} for name, value in EXAMPLES[call].items()}


def _refusals(call: str, operation: dict[str, Any]) -> Iterator[HTTPStatus]:
    """What a call of this kind may be refused with."""
    changes, path = call.partition(" ")[::2]
    if call in _ASKS:
        changes = "GET"
    if operation.get("security"):
        yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
        yield HTTPStatus.FORBIDDEN
    if operation.get("parameters") or "requestBody" in operation:
        yield HTTPStatus.UNPROCESSABLE_ENTITY
    if "requestBody" in operation:
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if "{" in path or changes != "GET":
        yield HTTPStatus.NOT_FOUND
    if changes != "GET":
        yield HTTPStatus.CONFLICT
    if changes in {"PUT", "PATCH", "DELETE"}:
        yield HTTPStatus.PRECONDITION_FAILED
    if path != "/healthz":
        yield HTTPStatus.SERVICE_UNAVAILABLE


def _response(refusal: Refusal) -> dict[str, Any]:
    headers = {
        name: {"description": words, "schema": {"type": "string"}}
        for name, words in refusal.headers.items()
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    told: dict[str, Any] = {"description": refusal.means, "content": content}
    return told | ({"headers": headers} if headers else {})
