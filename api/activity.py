"""Activity: what has happened, every delivery with its attempts, and sending one again."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from api import activity_shapes
from api.callers import Caller, TheRuntime
from api.paging import Text
from core.errors import InvalidInput
from core.events import EventType, Severity
from services.delivery.delivery_log import Shown, WantedDeliveries, delivery_story, list_deliveries
from services.delivery.rolling_forward import roll_delivery
from services.watching.event_log import WantedEvents, list_events
from services.watching.looking_back import Mark

router = APIRouter(prefix="/api/v1", tags=["activity"])

_Limit = Annotated[int, Query(ge=1, le=500)]
_SHOWN = {"all": Shown.ALL, "failed": Shown.FAILED, "waiting": Shown.WAITING}


@router.get("/events")
def events(
    runtime: TheRuntime,
    actor: Caller,
    kind: Annotated[EventType | None, Query(alias="type")] = None,
    severity: Literal["info", "warning", "critical"] = "info",
    account: Text = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    before: Text = "",
    limit: _Limit = 100,
) -> dict[str, Any]:
    """What has happened to what the caller may read, the newest first, behind `before`."""
    wanted = WantedEvents(
        type=kind,
        severity=Severity[severity.upper()],
        account=account,
        since=since,
        until=until,
    )
    found = list_events(runtime, actor, wanted, before=_mark(before), limit=limit)
    return activity_shapes.page(found, activity_shapes.event)


@router.get("/deliveries")
def deliveries(
    runtime: TheRuntime,
    actor: Caller,
    state: Literal["all", "failed", "waiting"] = "all",
    account: Text = "",
    integration: UUID | None = None,
    event: UUID | None = None,
    before: Text = "",
    limit: _Limit = 100,
) -> dict[str, Any]:
    """What was sent about what the caller may read, behind `before`."""
    wanted = WantedDeliveries(_SHOWN[state], account, integration, event)
    found = list_deliveries(runtime, actor, wanted, before=_mark(before), limit=limit)
    return activity_shapes.page(found, activity_shapes.delivery)


@router.get("/deliveries/{delivery_id}")
def delivery(delivery_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """One delivery, with the attempts that failed and what was said."""
    return {"data": activity_shapes.story(delivery_story(runtime, actor, delivery_id))}


@router.post("/deliveries/{delivery_id}/roll-forward")
def roll_forward(delivery_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """It is sent again: a copy as the token that is current now, a notice as it was."""
    roll_delivery(runtime, actor, delivery_id)
    return {}


def _mark(text: str) -> Mark | None:
    if not text:
        return None
    mark = Mark.read(text)
    if mark is None:
        raise InvalidInput("before", "give what `older` said on the page before")
    return mark
