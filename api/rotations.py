"""What will rotate when, and turning many keys at once."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.callers import Caller, TheRuntime
from api.paging import Text
from api.shapes import moment
from services.accounts.account_filters import Narrowing
from services.engine import mass_rotation
from services.engine.floors import Floor
from services.engine.plan import Plan, make_plan

router = APIRouter(prefix="/api/svc/v1", tags=["virtual accounts"])

_MOST = 500_000  # rotations in one plan
_PER_CALL = 2_000  # accounts that one call turns


class Rotate(BaseModel):
    """Which accounts, as the list narrows them, and whether only to say what it means."""

    model_config = ConfigDict(hide_input_in_errors=True)

    dryRun: bool | None = False  # noqa: N815 - the wire's spelling
    before: AwareDatetime | None = None
    nameSearchQuery: Text = ""  # noqa: N815 - the wire's spelling
    ownedByTeams: Annotated[list[Text], Field(max_length=100)] = []  # noqa: N815 - the wire's
    filter: Annotated[str, Field(max_length=8_000)] = ""


@router.get("/rotation-plan")
def rotation_plan(
    runtime: TheRuntime, actor: Caller, days: Annotated[int, Query(ge=1, le=366)] = 30
) -> dict[str, Any]:
    """What will rotate when, and how long each published limit needs for all copies."""
    plan = Plan(until=runtime.now())
    for grown in make_plan(runtime, actor, days=days, most=_MOST):
        plan = grown
    return {
        "data": {
            "until": moment(plan.until),
            "total": plan.total,
            "byDay": {str(day): count for day, count in sorted(plan.by_day.items())},
            "first": [{"account": one.account, "at": moment(one.at)} for one in plan.first],
            "floors": [_floor(floor) for floor in plan.floors],
        }
    }


@router.post("/virtual-accounts/rotate")
def rotate(body: Rotate, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Turns the keys of all accounts that match, a few thousand in one call.

    Repeated with the `before` that it answered until nothing is left, it turns each once.
    """
    narrowing = Narrowing(
        search=body.nameSearchQuery, teams=body.ownedByTeams, tree=body.filter or None
    )
    ahead = mass_rotation.look_ahead(runtime, actor, narrowing, before=body.before)
    turned, failed = 0, list[str]()
    if not body.dryRun:
        for done in mass_rotation.turn_all(runtime, actor, narrowing, before=ahead.before):
            turned += done.turned
            failed += done.failed
            if turned + len(failed) >= _PER_CALL:
                break
    return {
        "data": {
            "before": moment(ahead.before),
            "accounts": ahead.accounts,
            "turned": turned,
            "failed": failed,
            "left": ahead.accounts - turned,
            "unkept": ahead.unkept,
            "shortGraces": ahead.short_graces,
            "seconds": ahead.seconds,
            "floors": [_floor(floor) for floor in ahead.floors],
        }
    }


def _floor(floor: Floor) -> dict[str, Any]:
    return {
        "integrations": floor.integrations,
        "copies": floor.copies,
        "unwritten": floor.unwritten,
        "perSecond": floor.per_second,
        "calls": floor.calls,
        "seconds": floor.seconds,
    }
