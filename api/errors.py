"""Which HTTP status each error has, and the one shape in which errors are answered."""

import math
from typing import Any

from starlette.responses import JSONResponse

from core import errors
from core.tokens import without_tokens

_COME_BACK = 2  # seconds

STATUS: dict[type[errors.KeyturnError], int] = {
    errors.KeyturnError: 500,
    errors.InvalidInput: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.TooLarge: 413,
    errors.Throttled: 429,
    errors.Unready: 503,
    errors.Misconfigured: 503,
    errors.MasterKeyMissing: 503,
    errors.PluginUnknown: 422,
    errors.PluginNotInstalled: 422,
    errors.SealBroken: 500,
    errors.SendFailed: 502,
    errors.Transient: 502,
    errors.Permanent: 502,
    errors.PlaceRefused: 422,
    errors.DestinationRefused: 422,
}


def status_of(error: errors.KeyturnError) -> int:
    """The status of this error; the nearest named ancestor decides."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body(
    status: int, message: str, code: str, details: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The error as the public SDK reads it. What looks like a token in it is masked."""
    told = [{key: without_tokens(str(value)) for key, value in d.items()} for d in details or []]
    return {
        "statusCode": status,
        "message": without_tokens(message),
        "code": code,
        "details": told or None,
    }


def headers_of(error: errors.KeyturnError) -> dict[str, str]:
    """What the status alone does not say: how to log in, when to come back."""
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, errors.Throttled):
        return {"Retry-After": str(math.ceil(error.retry_after))}
    if isinstance(error, errors.Unready):
        return {"Retry-After": str(_COME_BACK)}
    return {}


def body_of(error: errors.KeyturnError) -> dict[str, Any]:
    details = [{"field": error.field}] if isinstance(error, errors.InvalidInput) else None
    return body(status_of(error), str(error), error.code, details)


def as_response(error: errors.KeyturnError) -> JSONResponse:
    """The error as it is answered."""
    return JSONResponse(body_of(error), status_of(error), headers_of(error))
