"""What was refused, or went wrong, becomes an answer in the one shape of errors."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError, TimeoutError  # noqa: A004 - the pool's own
from starlette.exceptions import HTTPException

from api import errors
from core.errors import KeyturnError, Unready

log = structlog.get_logger(__name__)

_NO_JSON = {"field": "body", "message": "this is not JSON"}


def install(app: FastAPI) -> None:
    """From now on the application answers every error that it knows."""
    app.add_exception_handler(KeyturnError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(TimeoutError, _away)


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
