"""The first page: what is wrong, what has turned, what will."""

from fastapi import APIRouter
from starlette.responses import Response

from console.heat_map import heat_map
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.events import Severity
from services.engine.rotation_calendar import calendar
from services.watching.overview import overview
from services.watching.troubles import TroubleKind

router = APIRouter()

# What is said of each kind of trouble, in the words of whoever has to mend it.
_SAID = {
    TroubleKind.LANE_PAUSED: "nothing is sent there until it is resumed",
    TroubleKind.HELD: "an old token is kept alive for a store that lacks the new one",
    TroubleKind.ROTATION_FAILED: "could not be rotated",
    TroubleKind.PLACE_REFUSED: "a store refused the token",
    TroubleKind.NOTICE_FAILED: "somebody could not be told",
    TroubleKind.LANE_SILENT: "does not answer; it is asked again and again",
    TroubleKind.PLACE_SILENT: "a store does not answer for it",
    TroubleKind.WAITING: "its rotation waits for a store",
    TroubleKind.DRIFTED: "a store holds something else",
}


@router.get("/")
def show_overview(runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """How things stand, within what the person may read."""
    return show(
        "overview.html",
        view=overview(runtime, actor),
        map=heat_map(calendar(runtime, actor)),
        said=_SAID,
        critical=Severity.CRITICAL,
    )
