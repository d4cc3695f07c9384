"""What was refused, or went wrong, becomes a page that says what to do: here, and nowhere else."""

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError, TimeoutError  # noqa: A004 - the pool's own
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.cookies import forget_session, session_of
from console.rendering import page
from console.visitors import sign_in_path
from core import errors
from core.tokens import without_tokens

log = structlog.get_logger(__name__)

_COME_BACK = 2  # seconds
_OPERATOR = "An operator has to change a setting; `keyturn doctor` says which."
_STORE = "Look at the integration: its check says what the other side answered."


@dataclass(frozen=True)
class Explained:
    """How one kind of error is shown: its status, its title, and what can be done about it."""

    status: int
    title: str
    advice: str


EXPLAINED: dict[type[errors.KeyturnError], Explained] = {
    errors.KeyturnError: Explained(
        500,
        "Something went wrong",
        "Try again; if it happens again, show an operator the id below.",
    ),
    errors.InvalidInput: Explained(
        422, "This cannot be done like that", "Go back, change what is named above, and try again."
    ),
    errors.Unauthenticated: Explained(401, "You are not signed in", "Sign in and try again."),
    errors.Forbidden: Explained(
        403, "You may not do this", "If you should, ask an admin of your tenant for what is named."
    ),
    errors.NotFound: Explained(
        404, "There is nothing here", "It may have been deleted. Look for it in its list."
    ),
    errors.Conflict: Explained(
        409, "This is not possible now", "Go back and look at how things are at this moment."
    ),
    errors.Stale: Explained(
        412,
        "Somebody else changed it first",
        "Open it again and repeat your change; nothing of yours was saved.",
    ),
    errors.TooLarge: Explained(413, "This is too much", "Send less at once."),
    errors.Throttled: Explained(429, "Too many attempts", "Wait a minute, then try again."),
    errors.Unready: Explained(
        503, "Keyturn cannot answer now", "Nothing was changed. Try again in a moment."
    ),
    errors.Misconfigured: Explained(503, "Keyturn is not set up for this", _OPERATOR),
    errors.MasterKeyMissing: Explained(503, "A master key is missing", _OPERATOR),
    errors.PluginUnknown: Explained(422, "This kind is not installed", _OPERATOR),
    errors.PluginNotInstalled: Explained(422, "A client library is missing", _OPERATOR),
    errors.SealBroken: Explained(500, "A sealed value does not open", _OPERATOR),
    errors.SendFailed: Explained(502, "The other side did not take it", _STORE),
    errors.Transient: Explained(502, "The other side does not answer", _STORE),
    errors.Permanent: Explained(502, "The other side refused it", _STORE),
    errors.PlaceRefused: Explained(422, "This place was refused", _STORE),
    errors.DestinationRefused: Explained(422, "The destination refused it", _STORE),
}


def explained(error: errors.KeyturnError) -> Explained:
    """How the error is shown; the nearest named ancestor decides."""
    return next(EXPLAINED[kind] for kind in type(error).__mro__ if kind in EXPLAINED)


def install(app: FastAPI) -> None:
    """From now on the application answers every error that it knows with a page."""
    app.add_exception_handler(errors.KeyturnError, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(TimeoutError, _away)


async def _refused(request: Request, error: Exception) -> Response:
    return refusal(request, cast("errors.KeyturnError", error))


def refusal(request: Request, error: errors.KeyturnError) -> Response:
    """The page about this error; whoever is not signed in is asked to."""
    if isinstance(error, errors.Unauthenticated):
        return _to_sign_in(request)
    headers = {}
    if isinstance(error, errors.Throttled):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(error, errors.Unready):
        headers["Retry-After"] = str(_COME_BACK)
    how = explained(error)
    return page(
        request,
        "refusal.html",
        how.status,
        headers,
        title=how.title,
        message=without_tokens(str(error)),
        advice=how.advice,
        request_id=getattr(request.state, "request_id", ""),
    )


def _to_sign_in(request: Request) -> Response:
    """A script's request makes the whole page go there."""
    path = sign_in_path(request)
    response: Response
    if request.headers.get("HX-Request"):
        response = Response(
            status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/sign-in"}
        )
    else:
        response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    if session_of(request) is not None:
        forget_session(request, response)
    return response


async def _away(request: Request, error: Exception) -> Response:
    """The database is away, or too busy to answer: nothing was decided about the request."""
    log.warning("database.away", path=request.url.path, error=type(error).__name__)
    return refusal(request, errors.Unready("The database does not answer."))


async def _unreadable(request: Request, _error: Exception) -> Response:
    """An address with words where numbers should be: there is no such page."""
    return refusal(request, errors.NotFound("page", request.url.path))


async def _plain(request: Request, error: Exception) -> Response:
    status = cast("HTTPException", error).status_code
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return refusal(request, errors.NotFound("page", request.url.path))
    raise error
