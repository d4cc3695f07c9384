"""Somebody else's personal access tokens, in an admin's hands: made, shown once, revoked."""

from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Form, Sent
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.users import SHOWN_TOKENS
from console.visitors import SignedIn
from services.access import holdings
from services.operation.tenants import read_limits
from services.people import personal_tokens
from services.people.personal_tokens import Wanted
from services.people.users import get_user

router = APIRouter(prefix="/users/{user_id}/tokens")

_NAMES = {"expirationDate": "ends", "teamName": "team"}
_FIELDS = ("name", "ends", "team")


@router.get("/new")
def ask_new(user_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form for a token of somebody else."""
    actor.demand_admin()
    return _new(user_id, runtime, actor, show, Form({}), NOTHING)


@router.post("/new")
def create(user_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """A new token, shown this once."""
    owner = get_user(runtime, actor, user_id).user
    wanted = Wanted(
        name=sent.text("name"),
        expiration_date=sent.text("ends") or None,
        team=sent.text("team") or None,
    )
    try:
        token = personal_tokens.create_for(runtime, actor, owner.email, wanted)
    except CORRECTABLE as error:
        wrong = corrections_of(error, _FIELDS, _NAMES)
        return _new(user_id, runtime, actor, show, sent, wrong)
    return show("users/token_made.html", owner=owner, name=wanted.name, token=token.reveal())


@router.get("/revoke-all")
def ask_revoke_all(user_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Which tokens would work no more."""
    actor.demand_admin()
    tokens, total = personal_tokens.list_of(runtime, actor, user_id, limit=SHOWN_TOKENS, offset=0)
    owner = get_user(runtime, actor, user_id).user
    return show("users/revoke_all.html", owner=owner, tokens=tokens, total=total)


@router.post("/revoke-all")
def revoke_all(user_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """None of the person's tokens works any more."""
    owner = get_user(runtime, actor, user_id).user
    personal_tokens.revoke_all_of(runtime, actor, owner.email)
    return onward(f"/users/{user_id}", "tokens-revoked")


@router.get("/{token_id}/revoke")
def ask_revoke(
    user_id: str, token_id: str, runtime: TheRuntime, actor: SignedIn, show: Show
) -> Response:
    """One token, and when it was last used."""
    view = personal_tokens.get_token(runtime, actor, token_id)
    return show("users/revoke.html", user_id=user_id, view=view)


@router.post("/{token_id}/revoke")
def revoke(user_id: str, token_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """It works no more."""
    personal_tokens.revoke(runtime, actor, token_id)
    return onward(f"/users/{user_id}", "token-revoked")


def _new(
    user_id: str,
    runtime: TheRuntime,
    actor: SignedIn,
    show: Show,
    sent: Form,
    wrong: Corrections,
) -> Response:
    teams = holdings.list_memberships(runtime, actor, user_id)
    longest = read_limits(runtime, actor).limits.pat_longest_life
    return show(
        "users/new_token.html",
        wrong.status,
        owner=get_user(runtime, actor, user_id).user,
        teams=[("", "none"), *((one.team, one.team) for one in teams)],
        last_day=(runtime.now() + longest).date() - timedelta(days=1) if longest else None,
        sent=sent,
        wrong=wrong,
    )
