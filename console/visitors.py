"""Who is looking: the session of a request, and the person behind it with their permits.

Every request passes here first, so that no page can forget it: what changes something is checked
against forgery, and whose session has ended is nobody.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends
from starlette.requests import Request

from console import forgery
from console.cookies import session_of, theme_of
from console.forms import Sent
from console.parts import address_of, parts_of, request_id_of
from core.actors import Actor
from core.errors import Unauthenticated
from core.roles import NOTHING
from core.tokens import Token
from services.verify.verification import Verified, actor_of


@dataclass(frozen=True)
class Visit:
    """One request. `verified` and `actor` are there if somebody is signed in."""

    path: str
    theme: str
    session: Token | None = field(default=None, repr=False)
    verified: Verified | None = None
    actor: Actor | None = None

    @cached_property
    def form_token(self) -> str:
        """What the page's forms carry; empty where nobody is signed in."""
        return forgery.form_token(self.session) if self.actor and self.session else ""

    @property
    def tenant(self) -> str:
        return self.verified.tenant if self.verified else ""

    def may_somewhere(self, action: str) -> bool:
        """Whether the person may do this to anything at all."""
        permits = self.actor.permits if self.actor else NOTHING
        return permits.allow_everywhere(action) or any(permits.scope(action))

    def may_everywhere(self, action: str) -> bool:
        """Whether the person may do this in the whole tenant."""
        return self.actor is not None and self.actor.permits.allow_everywhere(action)


def visit(request: Request, sent: Sent) -> Visit:
    """The request's visit; Forbidden if it could be forged."""
    parts = parts_of(request)
    session, made = session_of(request), None
    if forgery.is_change(request):
        forgery.check_origin(request, parts.runtime.settings.public_url)
    if session is not None:
        verified = parts.logins.verify(session.reveal(), address_of(request))
        if isinstance(verified, Verified):
            made = verified
    actor = None
    if made is not None and session is not None:
        if forgery.is_change(request):
            given = request.headers.get(forgery.HEADER) or sent.raw(forgery.FIELD)
            forgery.check_token(session, given)
        actor = actor_of(
            parts.runtime, made, address=address_of(request), request_id=request_id_of(request)
        )
    request.state.visit = Visit(request.url.path, theme_of(request), session, made, actor)
    return request.state.visit  # type: ignore[no-any-return]


def visit_of(request: Request) -> Visit:
    """The visit as far as it got; an error page is shown even if it got nowhere."""
    made: Visit | None = getattr(request.state, "visit", None)
    return made or Visit(request.url.path, theme_of(request))


def signed_in(found: Annotated[Visit, Depends(visit)]) -> Actor:
    """The person; Unauthenticated if there is none."""
    if found.actor is None:
        raise Unauthenticated("nobody is signed in")
    return found.actor


def local_path(given: str) -> str:
    """A path of ours, as it was given; the overview's for everything else."""
    is_ours = (
        given.startswith("/")
        and not given.startswith("//")
        and "\\" not in given
        and " " not in given
        and given.isprintable()
    )
    return given if is_ours else "/"


def sign_in_path(request: Request) -> str:
    """Where to sign in, and where to go on afterwards."""
    if forgery.is_change(request) or request.url.path.startswith("/sign-in"):
        return "/sign-in"
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/sign-in" if here == "/" else f"/sign-in?next={quote(here, safe='')}"


SignedIn = Annotated[Actor, Depends(signed_in)]
TheVisit = Annotated[Visit, Depends(visit)]
