"""The HTTP service: translate, call one use case, translate back."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError, TimeoutError  # noqa: A004 - the pool's own
from starlette.exceptions import HTTPException

from api import (
    audit,
    device_login,
    documents,
    errors,
    health,
    integrations,
    manifests,
    personal_access_tokens,
    roles,
    secret_groups,
    secrets,
    settings,
    start_up,
    teams,
    users,
    verify,
    virtual_accounts,
)
from api.described import DESCRIPTION, TAGS
from api.failed_logins import FailedLogins
from api.limits import BodyLimit
from api.request_ids import RequestIds
from core.errors import KeyturnError, Unready
from services.runtime import Runtime

log = structlog.get_logger(__name__)

_NO_JSON = {"field": "body", "message": "this is not JSON"}


def create_app(runtime: Runtime) -> FastAPI:
    """The application over this runtime; opens nothing by itself."""
    app = documents.Documented(
        title="Keyturn",
        description=DESCRIPTION,
        version="0.1.0",
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    app.state.failed_logins = FailedLogins(runtime)
    app.mount("/docs/assets", documents.assets())
    for router in (
        documents.router,
        health.router,
        verify.router,
        users.router,
        personal_access_tokens.router,
        teams.router,
        roles.router,
        settings.router,
        virtual_accounts.router,
        integrations.router,
        secret_groups.router,
        secrets.router,
        manifests.router,
        start_up.router,
        device_login.router,
        audit.router,
    ):
        app.include_router(router)
    app.add_exception_handler(KeyturnError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(TimeoutError, _away)
    app.add_middleware(BodyLimit, runtime=runtime)
    app.add_middleware(RequestIds, runtime=runtime)
    return app


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, KeyturnError)
    return JSONResponse(errors.body_of(error), errors.status_of(error), errors.headers_of(error))


async def _away(request: Request, error: Exception) -> JSONResponse:
    """The database is away, or too busy to answer: nothing was decided about the call."""
    log.warning("database.away", path=request.url.path, error=type(error).__name__)
    return await _refused(request, Unready("The database does not answer."))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Names each wrong field; never quotes what was sent."""
    assert isinstance(error, RequestValidationError)
    details = [{"field": _field(one), "message": one["msg"]} for one in error.errors()]
    first = details[0]
    message = f"{first['field']}: {first['message']}"
    return JSONResponse(errors.body(422, message, "invalid_input", details), 422)


def _field(error: dict[str, Any]) -> str:
    path = () if error["type"] == "json_invalid" else error["loc"][1:]  # else: where it broke off
    return ".".join(str(part) for part in path) or "body"


async def _plain(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's word for bytes that are no JSON
        message = "body: this is not JSON"
        return JSONResponse(errors.body(422, message, "invalid_input", [_NO_JSON]), 422)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "error")
    return JSONResponse(
        errors.body(error.status_code, str(error.detail), code),
        error.status_code,
        dict(error.headers or {}),
    )
