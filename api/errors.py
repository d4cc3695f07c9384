"""Which HTTP status each error has, and the one shape in which errors are answered."""

from typing import Any

from core import errors

STATUS: dict[type[errors.KeyturnError], int] = {
    errors.InvalidInput: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Stale: 412,
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
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def body(
    status: int, message: str, code: str, details: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The error as the public SDK reads it."""
    return {"statusCode": status, "message": message, "code": code, "details": details}


def body_of(error: errors.KeyturnError) -> dict[str, Any]:
    details = [{"field": error.field}] if isinstance(error, errors.InvalidInput) else None
    return body(status_of(error), str(error), error.code, details)
