"""What is done to one account by a button: each asks first where it cannot be taken back."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import RedirectResponse, Response

from console.accounts import PATH
from console.forms import Sent
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.durations import parse_duration
from core.errors import InvalidInput
from services.accounts import account_life
from services.accounts.account_story import Story, story_of
from services.accounts.place_views import check_places
from services.delivery import rolling_forward, syncing
from services.engine import tokens
from services.notices import acknowledging

router = APIRouter(prefix=PATH + "/{account_id}")

OWN, OTHER, AT_ONCE = "own", "other", "at-once"


def _story(account_id: str, runtime: TheRuntime, actor: SignedIn) -> Story:
    return story_of(runtime, actor, account_id)


TheStory = Annotated[Story, Depends(_story)]


def done(account_id: str, word: str) -> Response:
    """Back to the account, which says what was done."""
    return RedirectResponse(f"{PATH}/{account_id}?done={word}", HTTPStatus.SEE_OTHER)


@router.post("/token")
def reveal(account_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The current token, on this one page; the audit log keeps who asked for it."""
    token = tokens.read_token(runtime, actor, account_id)
    return show("accounts/token.html", token=token.reveal(), account_id=account_id)


@router.get("/rotate")
def ask_rotate(story: TheStory, show: Show) -> Response:
    """How long the old token is to go on."""
    return show("accounts/rotate.html", story=story, chosen=OWN, grace="1h", error="")


@router.post("/rotate")
def rotate(
    account_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, story: TheStory, show: Show
) -> Response:
    """A new token now."""
    chosen = sent.text("how")
    try:
        grace = _grace(chosen, sent.text("grace"))
    except InvalidInput as error:
        return show(
            "accounts/rotate.html",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            story=story,
            chosen=OTHER,
            grace=sent.text("grace"),
            error=str(error).removeprefix("grace: "),
        )
    if grace is None:
        tokens.rotate_account(runtime, actor, account_id)
    else:
        tokens.regenerate_token(runtime, actor, account_id, grace=grace)
    return done(account_id, "rotated")


def _grace(chosen: str, text: str) -> timedelta | None:
    """None: the account's own."""
    if chosen == AT_ONCE:
        return timedelta(0)
    if chosen != OTHER:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInput("grace", str(error)) from None


@router.get("/tokens/{token_id}/revoke")
def ask_revoke(token_id: str, story: TheStory, show: Show) -> Response:
    """Which generation ends, and who still uses it."""
    found = next((one for one in story.uses.generations if str(one.token.id) == token_id), None)
    return show("accounts/revoke.html", story=story, found=found, token_id=token_id)


@router.post("/tokens/{token_id}/revoke")
def revoke(account_id: str, token_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """It works no more; the current one is replaced in the same moment."""
    tokens.revoke_token(runtime, actor, account_id, token_id)
    return done(account_id, "revoked")


@router.get("/revoke-all")
def ask_revoke_all(story: TheStory, show: Show) -> Response:
    return show("accounts/revoke_all.html", story=story)


@router.post("/revoke-all")
def revoke_all(account_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """Nothing of the account works until it is rotated."""
    tokens.revoke_all(runtime, actor, account_id)
    return done(account_id, "revoked-all")


@router.get("/delete")
def ask_delete(story: TheStory, show: Show) -> Response:
    return show("accounts/delete.html", story=story)


@router.post("/delete")
def delete(account_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent) -> Response:
    """Its tokens work no more; its copies go, unless they are kept."""
    account_life.delete_account(runtime, actor, account_id, keep_copies=sent.flag("keep_copies"))
    return RedirectResponse(f"{PATH}?done=deleted", HTTPStatus.SEE_OTHER)


@router.post("/sync")
def sync(account_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """The current token goes to every store that has not confirmed it."""
    syncing.sync_now(runtime, actor, account_id, force=False)
    return done(account_id, "synced")


@router.post("/check")
def check(account_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """Every store is asked what it holds."""
    check_places(runtime, actor, account_id)
    return done(account_id, "checked")


@router.post("/deliveries/{delivery_id}/roll-forward")
def roll_forward(
    account_id: str, delivery_id: str, runtime: TheRuntime, actor: SignedIn
) -> Response:
    """What did not get through is sent again."""
    rolling_forward.roll_forward(runtime, actor, account_id, delivery_id)
    return done(account_id, "rolled-forward")


@router.post("/acknowledge")
def acknowledge(account_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """The consumers have the newest token: nobody is warned of older ones' ends."""
    acknowledging.acknowledge(runtime, actor, account_id)
    return done(account_id, "acknowledged")


@router.post("/pause")
def pause(account_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    account_life.pause_account(runtime, actor, account_id)
    return done(account_id, "paused")


@router.post("/resume")
def resume(account_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    account_life.resume_account(runtime, actor, account_id)
    return done(account_id, "resumed")
