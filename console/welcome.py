"""The page behind a one-time link: an invitation, or a way in for an admin.

Looking at it changes nothing, since mail scanners open links; its form signs in.
"""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.cookies import begin_session
from console.forms import Sent
from console.parts import TheRuntime, address_of, parts_of, request_id_of
from console.rendering import Show
from core.errors import InvalidInput
from services.people import invitations
from services.people.sign_in import Opened

router = APIRouter()

_LONGEST_TOKEN = 200


@router.get("/welcome")
def look(request: Request, runtime: TheRuntime, show: Show, token: str = "") -> Response:
    """Whom the link is for, and a button."""
    token = token[:_LONGEST_TOKEN]
    try:
        with parts_of(request).logins.attempt(address_of(request)):
            invited = invitations.look(runtime, token)
    except InvalidInput:
        return _over(show)
    return show("welcome.html", invited=invited, token=token)


@router.post("/welcome")
def accept(request: Request, runtime: TheRuntime, sent: Sent, show: Show) -> Response:
    """A new session, once."""
    address = address_of(request)
    try:
        with parts_of(request).logins.attempt(address):
            done = invitations.accept(
                runtime,
                sent.text("token")[:_LONGEST_TOKEN],
                address=address,
                request_id=request_id_of(request),
            )
    except InvalidInput:
        return _over(show)
    response = RedirectResponse("/?done=signed-in", HTTPStatus.SEE_OTHER)
    begin_session(request, response, Opened(done.token, done.until), runtime)
    return response


def _over(show: Show) -> Response:
    return show("welcome_over.html", HTTPStatus.NOT_FOUND)
