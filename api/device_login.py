"""Logging in at a client without a browser, and logging out."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from api.bodies import Body
from api.callers import Caller, TheRuntime, address_of
from api.failed_logins import failed_logins_of
from services.people.device_login import LENGTH, approve_login, begin_login, finish_login
from services.people.sessions import end_session

router = APIRouter(tags=["login"])

_POLL = 1  # seconds between a client's questions


class Begin(Body):
    """Where the client's user wants to log in."""

    tenantName: str = Field(max_length=64)  # noqa: N815 - the wire's spelling


class Finish(Body):
    """The client asks whether its login was approved."""

    tenantName: str = Field(max_length=64)  # noqa: N815 - the wire's spelling
    deviceCode: str = Field(max_length=100)  # noqa: N815 - the wire's spelling


class Approve(Body):
    """The short code, as the client shows it."""

    userCode: str = Field(max_length=32)  # noqa: N815 - the wire's spelling


@router.post("/api/svc/v1/oauth2/device-authorize")
def device_authorize(body: Begin, request: Request, runtime: TheRuntime) -> dict[str, Any]:
    """Begins a login: a code for the client, and one that its user approves."""
    failed_logins_of(request).begin(address_of(request))
    begun = begin_login(runtime, body.tenantName)
    page = f"{runtime.settings.public_url.rstrip('/')}/device"
    minutes = int(LENGTH.total_seconds() // 60)
    return {
        "userCode": begun.user_code,
        "deviceCode": begun.device_code.reveal(),
        "verificationURI": page,
        "verificationURIComplete": f"{page}?code={begun.user_code}",
        "expiresInSeconds": int(LENGTH.total_seconds()),
        "intervalInSeconds": _POLL,
        "message": (
            f"To log in, approve the code {begun.user_code} at {page} within {minutes} minutes."
        ),
    }


@router.post(
    "/api/svc/v1/oauth2/token",
    status_code=201,
    responses={202: {"description": "Nobody has approved the login yet."}},
)
def token(
    body: Finish, request: Request, response: Response, runtime: TheRuntime
) -> dict[str, Any]:
    """201 with the session's token, once; 202 while nobody has approved the login.

    Sessions are not renewed: the client logs in again.
    """
    address = address_of(request)
    with failed_logins_of(request).attempt(address):
        opened = finish_login(
            runtime,
            body.tenantName,
            body.deviceCode,
            address=address,
            request_id=request.state.request_id,
        )
    if opened is None:
        response.status_code = 202
        return {"message": "Nobody has approved this login yet.", "code": "authorization_pending"}
    return {"accessToken": opened.reveal(), "refreshToken": None, "tokenType": "Bearer"}


@router.post("/api/v1/device/approve")
def approve(body: Approve, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """The login that shows this code becomes the caller's."""
    approve_login(runtime, actor, body.userCode)
    return {}


@router.delete("/api/svc/v1/session")
def logout(runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Ends the session that this call came with."""
    end_session(runtime, actor)
    return {}
