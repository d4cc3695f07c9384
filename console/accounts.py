"""Virtual accounts: the list of them, and the page of one with its timeline."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.account_timeline import ends_of, outcome_of, timeline_of
from console.listing import Listing
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from models import AccountState, TokenRow, TokenState, VirtualAccount
from services.accounts.account_filters import Narrowing
from services.accounts.account_statuses import Status, refused_among
from services.accounts.account_story import story_of
from services.accounts.account_views import Order, list_accounts, owners_of

router = APIRouter()

PATH = "/virtual-accounts"


@dataclass(frozen=True)
class Condition:
    """How something is, in a word and its colour."""

    word: str
    tone: str


def conditions_of(
    account: VirtualAccount, now: datetime, *, is_refused: bool = False
) -> list[Condition]:
    """What is to be known of an account at a glance, the most pressing first."""
    found = []
    if is_refused:
        found.append(Condition("not in every store", "bad"))
    if account.rotation_failures:
        found.append(Condition("rotation fails", "bad"))
    if account.waiting_since is not None:
        found.append(Condition("waiting", "warn"))
    if account.state is AccountState.SUSPENDED:
        found.append(Condition("suspended", "bad"))
    if account.is_expired(now):
        found.append(Condition("expired", "plain"))
    if account.paused_at is not None:
        found.append(Condition("paused", "warn"))
    if not found:
        found.append(Condition("active", "good"))
    return found


def token_condition(token: TokenRow, now: datetime) -> Condition:
    """How a generation is at this moment; whether it works is its row's and the time's to say."""
    if token.state is TokenState.REVOKED:
        return Condition("revoked", "bad")
    if not token.is_valid(now):
        return Condition("expired", "plain")
    if token.is_held(now):
        return Condition("held", "warn")
    if token.state is TokenState.GRACE:
        return Condition("in its grace", "info")
    return Condition("current", "good")


@router.get(PATH)
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """A page of the accounts that the person may read."""
    view = Listing.of(request, [one.value for one in Order], ("status", "team"))
    known = {one.value for one in Status}
    status, team = view.filters["status"], view.filters["team"]
    views, total = list_accounts(
        runtime,
        actor,
        limit=view.limit,
        offset=view.offset,
        order=Order(view.sort),
        descending=view.is_descending,
        narrowing=Narrowing(
            search=view.search,
            teams=[team] if team else [],
            status=Status(status) if status in known else None,
        ),
    )
    return show(
        "accounts/list.html",
        list=view,
        views=views,
        total=total,
        owners=owners_of(runtime, actor, views),
        refused=refused_among(runtime, actor, [one.account.id for one in views]),
        conditions_of=conditions_of,
        may_create=actor.permits.allow_everywhere("virtual-account:create"),
    )


@router.get(PATH + "/{account_id}")
def show_account(account_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Everything about one account."""
    story = story_of(runtime, actor, account_id)
    now = runtime.now()
    return show(
        "accounts/show.html",
        story=story,
        account=story.view.account,
        drawn=timeline_of(story, now),
        conditions=conditions_of(
            story.view.account,
            now,
            is_refused=any(one.place.last_error or one.place.drift for one in story.places),
        ),
        token_condition=token_condition,
        ends_of=ends_of,
        outcome_of=outcome_of,
        has_pending=any(place.is_pending for place in story.places),
    )
