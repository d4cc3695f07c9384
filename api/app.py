"""The HTTP service: translate, call one use case, translate back."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import errors, health, manifests, users, verify, virtual_accounts
from api.request_ids import RequestIds
from core.errors import KeyturnError, Unauthenticated
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
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(RequestIds)
    return app


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, KeyturnError)
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else None
    return JSONResponse(errors.body_of(error), errors.status_of(error), headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Names each wrong field; never quotes what was sent."""
    assert isinstance(error, RequestValidationError)
    details = [
        {"field": ".".join(str(part) for part in one["loc"][1:]), "message": one["msg"]}
        for one in error.errors()
    ]
    first = details[0]
    message = f"{first['field']}: {first['message']}"
    return JSONResponse(errors.body(422, message, "invalid_input", details), 422)


async def _plain(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "error")
    return JSONResponse(
        errors.body(error.status_code, str(error.detail), code),
        error.status_code,
        dict(error.headers or {}),
    )


async def _broken(request: Request, error: Exception) -> JSONResponse:
    """Something that should not happen; the log has it under the request's id."""
    log.error("request.broken", path=request.url.path, error=type(error).__name__)
    message = "Keyturn could not answer; the log has the reason under this request's id."
    return JSONResponse(errors.body(500, message, "error"), 500)
