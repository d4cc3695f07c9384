"""The page on which a person approves the login of a client that has no browser."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.forms import Sent
from console.parts import TheRuntime, address_of, parts_of
from console.rendering import Show
from console.visitors import SignedIn
from core.errors import InvalidInput
from services.people.device_login import approve_login

router = APIRouter()

_LONGEST_CODE = 32
_ENDED = "There is no login with this code, or it has ended: begin again in your terminal."


@router.get("/device")
def look(actor: SignedIn, show: Show, code: str = "") -> Response:
    """The code that the client shows; one that came with the link is filled in."""
    return show("device.html", actor=actor, code=code[:_LONGEST_CODE].upper(), error="")


@router.post("/device")
def approve(
    request: Request, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show
) -> Response:
    """The client's login becomes the person's."""
    code = sent.text("code")[:_LONGEST_CODE]
    try:
        with parts_of(request).logins.attempt(address_of(request)):
            approve_login(runtime, actor, code)
    except InvalidInput:
        return show(
            "device.html",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            actor=actor,
            code=code,
            error=_ENDED,
        )
    return RedirectResponse("/device?done=approved", HTTPStatus.SEE_OTHER)
