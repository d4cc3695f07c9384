"""People: the list of them, somebody new, and the page of each."""

from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Sent
from console.listing import Listing
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.actors import Actor
from services.access import holdings
from services.people import invitations, personal_tokens
from services.people.sign_in import WELCOME
from services.people.users import get_user, list_users
from services.runtime import Runtime

router = APIRouter()

SHOWN_TOKENS = 100
_FIELDS = ("email",)


def welcome_page(runtime: Runtime) -> str:
    """The page that an invitation's link opens."""
    return f"{runtime.settings.public_url.rstrip('/')}{WELCOME}"


@router.get("/users")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The tenant's people, by e-mail."""
    view = Listing.of(request, (), ("show",))
    views, total = list_users(
        runtime,
        actor,
        limit=view.limit,
        offset=view.offset,
        search=view.search,
        inactive=view.filters["show"] == "all",
    )
    return show("users/list.html", list=view, views=views, total=total)


@router.get("/users/new")
def ask_new(actor: SignedIn, show: Show) -> Response:
    """The form for somebody new."""
    actor.demand_everywhere("user:create")
    return _new(show, "", "invite", NOTHING)


@router.post("/users/new")
def create(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """Somebody new, with an invitation or without."""
    email, how = sent.text("email"), sent.text("how")
    try:
        if how == "register":
            made = invitations.register(runtime, actor, email)
            return onward(f"/users/{made.view.user.id}", "registered")
        invited = invitations.invite(runtime, actor, email, page_url=welcome_page(runtime))
    except CORRECTABLE as error:
        return _new(show, email, how, corrections_of(error, _FIELDS))
    if invited.mailed:
        return onward(f"/users?q={quote(email, safe='')}", "invited")
    return show("users/invited.html", email=email, link=invited.link)


@router.get("/users/{user_id}")
def look(user_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """One person: roles, teams, what they hold and through what, and their tokens."""
    view = get_user(runtime, actor, user_id)
    tokens = None
    if actor.permits.is_admin or view.user.id == actor.id:
        tokens, _ = personal_tokens.list_of(runtime, actor, user_id, limit=SHOWN_TOKENS, offset=0)
    return show(
        "users/page.html",
        view=view,
        held=holdings.list_of_user(runtime, actor, user_id),
        teams=holdings.list_memberships(runtime, actor, user_id),
        tokens=tokens,
        may=may(actor),
        is_oneself=view.user.id == actor.id,
    )


def may(actor: Actor) -> frozenset[str]:
    """What the actor may do with people, as the pages offer it."""
    verbs = ("create", "update", "manage", "delete")
    allowed = {verb for verb in verbs if actor.permits.allow_everywhere(f"user:{verb}")}
    return frozenset(allowed | ({"admin"} if actor.permits.is_admin else set()))


def _new(show: Show, email: str, how: str, wrong: Corrections) -> Response:
    return show("users/new.html", wrong.status, email=email, how=how, wrong=wrong)
