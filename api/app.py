"""The HTTP service: translate, call one use case, translate back."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError, TimeoutError  # noqa: A004 - the pool's own
from starlette.exceptions import HTTPException

from api import errors, health, manifests, users, verify, virtual_accounts
from api.request_ids import RequestIds
from core.errors import KeyturnError, Unready
from services.runtime import Runtime

log = structlog.get_logger(__name__)


def create_app(runtime: Runtime) -> FastAPI:
    """The application over this runtime; opens nothing by itself."""
    app = FastAPI(
        title="Keyturn",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.runtime = runtime
    for router in (
        health.router,
        verify.router,
        users.router,
        virtual_accounts.router,
        manifests.router,
    ):
        app.include_router(router)
    app.add_exception_handler(KeyturnError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(TimeoutError, _away)
    app.add_middleware(RequestIds)
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
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "error")
    return JSONResponse(
        errors.body(error.status_code, str(error.detail), code),
        error.status_code,
        dict(error.headers or {}),
    )
