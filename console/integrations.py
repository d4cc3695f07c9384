"""Integrations: how each of them fares, and what can be done about it."""

from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.forms import Sent
from console.integration_types import title_of
from console.listing import Listing
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.errors import NotFound
from models import Integration, LaneState
from services.delivery.drift_asking import check_drift
from services.integrations import integration_editing, integrations
from services.integrations.channel_trials import try_channel
from services.integrations.integration_story import integration_story
from services.integrations.integration_views import (
    IntegrationView,
    LaneView,
    check_view,
    list_views,
)

router = APIRouter(prefix="/integrations")


def health_of(view: IntegrationView) -> tuple[str, str]:
    """The worst that is known of it, in a word and its colour."""
    if any(one.lane.state is LaneState.PAUSED for one in view.lanes):
        return "paused", "bad"
    if view.integration.checked.get("ok") is False:
        return "check failed", "bad"
    if any(one.lane.is_broken for one in view.lanes):
        return "does not answer", "warn"
    if any(one.lane.is_troubled for one in view.lanes):
        return "last send failed", "warn"
    if view.integration.checked.get("ok"):
        return "answers", "good"
    return "not checked yet", "plain"


def checked_at(row: Integration) -> datetime | None:
    """When it was checked last."""
    at = row.checked.get("at")
    return datetime.fromisoformat(at) if at else None


@router.get("")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Those that the person may read or use, with their health."""
    view = Listing.of(request, ())
    views, total = list_views(runtime, actor, limit=view.limit, offset=view.offset)
    return show(
        "integrations/list.html",
        list=view,
        views=views,
        total=total,
        health_of=health_of,
        checked_at=checked_at,
        title_of=title_of,
    )


@router.get("/{integration_id}")
def look(integration_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """One of them: its check, its lanes, its places, who uses it."""
    return _page(integration_id, runtime, actor, show)


@router.post("/{integration_id}/check")
def check(integration_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """Really connects; the page says what was found."""
    check_view(runtime, actor, integration_id)
    return onward(f"/integrations/{integration_id}", "integration-checked")


@router.post("/{integration_id}/test")
def test(
    integration_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show
) -> Response:
    """Sends a sample at once; the page says what was answered."""
    address = sent.text("address")
    tried = try_channel(runtime, actor, integration_id, address)
    return _page(integration_id, runtime, actor, show, tried={**tried, "address": address})


@router.post("/{integration_id}/drift")
def drift(integration_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """Every place is compared with what it should hold, within the store's limits."""
    check_drift(runtime, actor, integration_id)
    return onward(f"/integrations/{integration_id}", "drift-asked")


@router.get("/{integration_id}/lanes/{lane_id}/pause")
def ask_pause(
    integration_id: str, lane_id: str, runtime: TheRuntime, actor: SignedIn, show: Show
) -> Response:
    """What waits meanwhile."""
    actor.demand_everywhere("provider-integration:manage")
    story = integration_story(runtime, actor, integration_id)
    lane = _lane(story.view, lane_id)
    return show("integrations/pause.html", story=story, one=lane)


@router.post("/{integration_id}/lanes/{lane_id}/pause")
def pause(integration_id: str, lane_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """Nothing is sent on it until it is resumed."""
    integrations.pause_lane(runtime, actor, lane_id)
    return onward(f"/integrations/{integration_id}", "lane-paused")


@router.post("/{integration_id}/lanes/{lane_id}/resume")
def resume(integration_id: str, lane_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """It sends again, at once."""
    integrations.resume_lane(runtime, actor, lane_id)
    return onward(f"/integrations/{integration_id}", "lane-resumed")


@router.get("/{integration_id}/delete")
def ask_delete(integration_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Whether it can go, or who uses it."""
    return show("integrations/delete.html", story=integration_story(runtime, actor, integration_id))


@router.post("/{integration_id}/delete")
def delete(integration_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """It goes, with its credentials."""
    integration_editing.delete_integration(runtime, actor, integration_id)
    return onward("/integrations", "integration-deleted")


def _lane(view: IntegrationView, lane_id: str) -> LaneView:
    for one in view.lanes:
        if str(one.lane.id) == lane_id:
            return one
    raise NotFound("lane", lane_id)


def _page(
    integration_id: str,
    runtime: TheRuntime,
    actor: SignedIn,
    show: Show,
    tried: dict[str, object] | None = None,
) -> Response:
    story = integration_story(runtime, actor, integration_id)
    return show(
        "integrations/page.html",
        story=story,
        title=title_of(story.view.integration.family, story.view.integration.kind),
        health=health_of(story.view),
        checked_at=checked_at(story.view.integration),
        compared=runtime.settings.drift_check,
        tried=tried,
    )
