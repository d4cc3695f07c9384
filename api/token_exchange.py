"""RFC 8693: a workload's JWT for a short-lived token of a virtual account, asked for by a form."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.callers import TheRuntime, address_of
from api.errors import headers_of, status_of
from api.failed_logins import failed_logins_of
from api.verdicts import WORDS
from core.errors import Throttled, Unready
from core.fields import check_name
from services.identity.token_exchange import Exchanged, exchange_token
from services.runtime import Runtime
from services.verify.verdicts import Rejected

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_JWTS = (
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
)
_LONGEST = 65_536  # bytes of a form
_ACCOUNT = "virtualaccount:"
_NOT_TAKEN = {
    "actor_token": "invalid_request",
    "actor_token_type": "invalid_request",
    "resource": "invalid_target",
    "scope": "invalid_scope",
}
_NO_STORE = {"Cache-Control": "no-store"}

router = APIRouter(prefix="/api/v1/oauth2", tags=["login"])


class OAuthError(BaseModel):
    """How OAuth's calls are refused."""

    error: str = Field(examples=["invalid_request"])
    error_description: str


class Refused(Exception):
    """An answer as RFC 6749 writes errors."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.body = {"error": code, "error_description": description}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "subject_token", "subject_token_type"],
                    "properties": {
                        "grant_type": _text("Token exchange.", enum=[GRANT]),
                        "subject_token": _text("The workload's JWT.", minLength=1),
                        "subject_token_type": _text("What it is.", enum=list(_JWTS)),
                        "requested_token_type": _text("Not needed.", enum=[_ACCESS_TOKEN]),
                        "audience": _text("`virtualaccount:<name>`, where several may be meant."),
                    },
                }
            }
        },
    }
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "model": OAuthError}
    for status, words in {
        400: "The form is wrong, or the JWT is not good for this; as RFC 6749 says it.",
        429: "Too many were refused from here, or too many tokens of the account still work.",
        503: "The identity provider's keys, or the database, are not to be had now.",
    }.items()
}


@router.post("/token", openapi_extra=_FORM, responses=_RESPONSES)
async def token(request: Request, runtime: TheRuntime) -> JSONResponse:
    """A workload's JWT for a token that works an hour at most; the JWT is the credential.

    Nothing else is taken: no client logs in, and no refresh token is given.
    """
    try:
        given = read_form(await _body(request))
        made = await run_in_threadpool(_exchange, request, runtime, given)
    except Refused as refused:
        return JSONResponse(refused.body, HTTPStatus.BAD_REQUEST, _NO_STORE)
    except (Throttled, Unready) as error:
        body = Refused("temporarily_unavailable", str(error)).body
        return JSONResponse(body, status_of(error), {**_NO_STORE, **headers_of(error)})
    told = {
        "access_token": made.token.reveal(),
        "issued_token_type": _ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": int(made.lasts.total_seconds()),
    }
    return JSONResponse(told, headers=_NO_STORE)


def _exchange(request: Request, runtime: Runtime, given: Mapping[str, str]) -> Exchanged:
    address, logins = address_of(request), failed_logins_of(request)
    logins.admit_from(address)
    made = exchange_token(
        runtime,
        given["subject_token"],
        _account(given),
        address=address,
        request_id=request.state.request_id,
    )
    if isinstance(made, Rejected):
        logins.refused(address)
        raise Refused("invalid_request", f"{made.reason.value}: {WORDS[made.reason]}")
    return made


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            raise Refused("invalid_request", f"The form has more than {_LONGEST:,} bytes.")
    return body


def read_form(body: bytes) -> dict[str, str]:
    """The fields of the form, each given once; unknown ones are ignored, as RFC 6749 demands."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(body.decode("latin-1"), keep_blank_values=True):
        if given.get(name):
            raise Refused("invalid_request", f"{_shown(name)} is given more than once.")
        given[name] = value
    if given.get("grant_type") != GRANT:
        code = "unsupported_grant_type" if given.get("grant_type") else "invalid_request"
        raise Refused(code, f"grant_type: give {GRANT}")
    if given.get("subject_token_type") not in _JWTS:
        raise Refused("invalid_request", f"subject_token_type: give {' or '.join(_JWTS)}")
    if not given.get("subject_token"):
        raise Refused("invalid_request", "subject_token: give the workload's JWT")
    if given.get("requested_token_type") not in {None, "", _ACCESS_TOKEN}:
        raise Refused("invalid_request", f"requested_token_type: there is {_ACCESS_TOKEN} alone")
    for name, code in _NOT_TAKEN.items():
        if given.get(name):
            raise Refused(code, f"{name}: leave it out")
    return given


def _account(given: Mapping[str, str]) -> str | None:
    audience = given.get("audience")
    if not audience:
        return None
    try:
        if audience.startswith(_ACCOUNT):
            return check_name(audience.removeprefix(_ACCOUNT))
    except ValueError:
        pass
    raise Refused("invalid_target", f"audience: give {_ACCOUNT}<name>, or leave it out")


def _shown(name: str) -> str:
    """A field's name, if it is one of ours: what was sent is not quoted."""
    known = _FORM["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    return name if name in known["properties"] else "A field"
