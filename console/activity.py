"""Activity: what has happened, and every delivery with its attempts."""

from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.account_timeline import outcome_of
from console.event_words import SEVERITIES, TITLES, detail_of, title_of
from console.looking_back import LIMIT, Back
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.actors import Actor
from core.events import EventType, Severity
from services.delivery.attempts import KEPT
from services.delivery.delivery_log import (
    Shown,
    WantedDeliveries,
    delivery_story,
    list_deliveries,
)
from services.delivery.rolling_forward import roll_delivery
from services.integrations.integration_views import integration_names
from services.watching.event_log import WantedEvents, list_events

router = APIRouter(prefix="/activity")

_LEAST = {"warning": Severity.WARNING, "critical": Severity.CRITICAL}


def tabs(actor: Actor) -> list[tuple[str, str]]:
    """The parts of it, for whoever may look at each."""
    found = [("/activity", "Events"), ("/activity/deliveries", "Deliveries")]
    return [*found, ("/activity/audit", "Audit log")] if actor.permits.is_admin else found


@router.get("")
def events(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """What has happened, the newest first."""
    back = Back.of(request, ("type", "severity", "account", "since", "until"))
    kind = back.filters["type"]
    wanted = WantedEvents(
        type=EventType(kind) if kind in set(EventType) else None,
        severity=_LEAST.get(back.filters["severity"], Severity.INFO),
        account=back.filters["account"],
        since=back.moment("since"),
        until=back.moment("until"),
    )
    page = list_events(runtime, actor, wanted, before=back.before, limit=LIMIT)
    return show(
        "activity/events.html",
        back=back,
        found=page,
        tabs=tabs(actor),
        types=[
            ("", "All"),
            *sorted(((one.value, title) for one, title in TITLES.items()), key=_by_title),
        ],
        severities=SEVERITIES,
        severity=Severity,
        title_of=title_of,
        detail_of=detail_of,
    )


@router.get("/deliveries")
def deliveries(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """What was sent, what failed, what waits."""
    back = Back.of(request, ("shown", "account", "integration", "event"))
    shown = back.filters["shown"]
    wanted = WantedDeliveries(
        shown=Shown(shown) if shown in set(Shown) else Shown.ALL,
        account=back.filters["account"],
        integration=_uuid(back.filters["integration"]),
        event=_uuid(back.filters["event"]),
    )
    page = list_deliveries(runtime, actor, wanted, before=back.before, limit=LIMIT)
    return show(
        "activity/deliveries.html",
        back=back,
        found=page,
        tabs=tabs(actor),
        integrations=[("", "All"), *integration_names(runtime, actor)],
        outcome_of=outcome_of,
        title_of=title_of,
    )


@router.get("/deliveries/{delivery_id}")
def delivery(delivery_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """One of them, with every attempt that failed and what was said."""
    story = delivery_story(runtime, actor, delivery_id)
    return show(
        "activity/delivery.html", story=story, outcome_of=outcome_of, title_of=title_of, kept=KEPT
    )


@router.post("/deliveries/{delivery_id}/roll-forward")
def roll_forward(delivery_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """It is sent again: a copy as the token that is current now, a notice as it was."""
    roll_delivery(runtime, actor, delivery_id)
    return onward(f"/activity/deliveries/{delivery_id}", "rolled-forward")


def _by_title(pair: tuple[str, str]) -> str:
    return pair[1]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
