"""Signing in with a personal access token, and out: here, or everywhere."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.cookies import THEMES, begin_session, forget_session, keep_theme
from console.forms import Sent
from console.parts import TheRuntime, address_of, parts_of, request_id_of
from console.rendering import Show
from console.single_sign_on import ways
from console.visitors import SignedIn, TheVisit, local_path
from core.errors import Forbidden
from services.people.sessions import end_all_sessions, end_session
from services.people.sign_in import Opened, sign_in
from services.runtime import Runtime
from services.verify.verification import Rejected

router = APIRouter()

_WHY = {
    "missing": "Paste your token.",
    "malformed": "This is not a token of Keyturn: paste the whole of it.",
    "revoked": "This token was revoked: use another one.",
    "expired": "This token has ended: use another one.",
    "inactive": "Your account here is not active: ask an admin to activate it.",
}
_UNKNOWN = "This token is not known here: use another one."


@router.get("/sign-in")
def show_sign_in(request: Request, runtime: TheRuntime, visit: TheVisit, show: Show) -> Response:
    """The ways to sign in; whoever is signed in already goes on."""
    path = local_path(request.query_params.get("next", "/"))
    if visit.actor is not None:
        return RedirectResponse(path, HTTPStatus.SEE_OTHER)
    return show("sign_in.html", next=path, **ways(request, runtime))


@router.post("/sign-in")
def sign_in_by_token(request: Request, runtime: TheRuntime, sent: Sent, show: Show) -> Response:
    """A new session by a personal access token; the browser's earlier one ends."""
    path = local_path(sent.text("next"))
    try:
        opened = _opened(request, runtime, sent.text("token"))
    except Forbidden as error:
        return show(
            "sign_in.html",
            HTTPStatus.FORBIDDEN,
            next=path,
            error=str(error),
            **ways(request, runtime),
        )
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    begin_session(request, response, opened, runtime)
    return response


def _opened(request: Request, runtime: Runtime, text: str) -> Opened:
    """The session; Forbidden says why there is none."""
    address = address_of(request)
    verified = parts_of(request).logins.verify(text, address)
    if isinstance(verified, Rejected):
        raise Forbidden(_WHY.get(verified.reason.value, _UNKNOWN))
    return sign_in(runtime, verified, address=address, request_id=request_id_of(request))


@router.post("/sign-out")
def sign_out(request: Request, runtime: TheRuntime, actor: SignedIn) -> Response:
    """This session works no more."""
    end_session(runtime, actor)
    return _signed_out(request, "signed-out")


@router.post("/sign-out-everywhere")
def sign_out_everywhere(request: Request, runtime: TheRuntime, actor: SignedIn) -> Response:
    """No session of the person works any more."""
    end_all_sessions(runtime, actor)
    return _signed_out(request, "signed-out-everywhere")


def _signed_out(request: Request, done: str) -> Response:
    response = RedirectResponse(f"/sign-in?done={done}", HTTPStatus.SEE_OTHER)
    forget_session(request, response)
    return response


@router.post("/theme")
def theme(request: Request, sent: Sent) -> Response:
    """Light, dark, or as the person's system is; back to where they were."""
    response = RedirectResponse(local_path(sent.text("back")), HTTPStatus.SEE_OTHER)
    chosen = sent.text("theme")
    keep_theme(request, response, chosen if chosen in THEMES else THEMES[0])
    return response
