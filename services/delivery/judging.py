"""Judging a destination by how sends end: breaker, pause, and who is told (laws 10 and 11)."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from core import backoff
from core.events import SEVERITY, EventType
from models import (
    Action,
    Integration,
    Lane,
    LaneState,
    Place,
    VirtualAccount,
)
from services.delivery import lanes
from services.delivery.lanes import Turn
from services.delivery.sending import Outcome, Result
from services.notices.subscribers import subscribers_of, subscribers_of_lane
from services.outbox import Outbox

BREAKER_OPENS = 5
PAUSE_AFTER = 3
_TOLD_AT = 3  # failures of one delivery before its account's people hear of it
# How bad the problem was that each of these ends.
_PROBLEM = {
    EventType.SYNC_RECOVERED: SEVERITY[EventType.SYNC_FAILED],
    EventType.SYNC_REPAIRED: SEVERITY[EventType.SYNC_DRIFTED],
    EventType.LANE_RESUMED: SEVERITY[EventType.LANE_PAUSED],
}


def judge(session: Session, outbox: Outbox, lane: Lane, outcome: Outcome) -> None:
    """Counts one outcome for or against the lane; tells what people should know."""
    if outcome.error:
        lane.last_error = outcome.error
    match outcome.result:
        case Result.DONE:
            _done(session, outbox, lane, outcome)
        case Result.PLACE_REFUSED:
            lane.live()
            _tell_account(session, outbox, outcome, EventType.SYNC_FAILED)
        case Result.TRANSIENT if outcome.throttled:
            wait = outcome.retry_after or backoff.wait(1)
            lanes.throttle(session, lane, outbox.now + wait)
        case Result.TRANSIENT:
            _failed(outbox, lane, outcome)
            if outcome.claimed.failures + 1 == _TOLD_AT:
                _tell_account(session, outbox, outcome, EventType.SYNC_FAILED)
        case Result.DESTINATION_REFUSED:
            lane.refusals += 1
            if lane.refusals >= PAUSE_AFTER:
                _pause(session, outbox, lane, outcome.error or "")


def _done(session: Session, outbox: Outbox, lane: Lane, outcome: Outcome) -> None:
    """It is well again, and so may be what was known to be wrong."""
    lane.live()
    lane.succeeded_at = outbox.now
    lane.last_error = None
    if outcome.claimed.failures >= _TOLD_AT:
        _tell_account(session, outbox, outcome, EventType.SYNC_RECOVERED)
    if outcome.claimed.drift and outcome.drift is None:
        _tell_of_copy(session, outbox, outcome, EventType.SYNC_REPAIRED)


def pause(session: Session, outbox: Outbox, turn: Turn, reason: str) -> None:
    """Pauses the lane that this turn is at, and tells a human, once."""
    lane = lanes.locked(session, turn)
    if lane is not None:
        _pause(session, outbox, lane, reason)


def _pause(session: Session, outbox: Outbox, lane: Lane, reason: str) -> None:
    if lane.state is LaneState.OPEN:
        lane.pause(reason, outbox.now)
        tell_lane(session, outbox, lane, EventType.LANE_PAUSED)


def _failed(outbox: Outbox, lane: Lane, outcome: Outcome) -> None:
    """Five in a row open the breaker; from then on only probes count."""
    if lane.is_broken and not outcome.claimed.is_probe:
        return
    lane.failures += 1
    if lane.failures >= BREAKER_OPENS:
        wait = backoff.wait(lane.failures - BREAKER_OPENS + 1, at_least=outcome.retry_after)
        lane.probe_at = outbox.now + wait
        lane.die(outbox.now)


def _tell_account(
    session: Session, outbox: Outbox, outcome: Outcome, event_type: EventType
) -> None:
    """The account's people hear how its copy fares. A notice or a check that fails tells nobody."""
    sent = outcome.claimed
    if sent.action in {Action.NOTICE, Action.CHECK}:
        return
    if outcome.error:
        session.execute(
            update(Place)
            .where(Place.id == sent.place_id, Place.tenant_id == sent.tenant_id)
            .values(last_error=outcome.error)
            .execution_options(synchronize_session=False)
        )
    _tell_of_copy(session, outbox, outcome, event_type)


def _tell_of_copy(
    session: Session, outbox: Outbox, outcome: Outcome, event_type: EventType
) -> None:
    sent = outcome.claimed
    if sent.account_id is None:
        return
    account = session.get_one(VirtualAccount, (sent.account_id, sent.tenant_id))
    lane = session.get_one(Lane, (sent.lane_id, sent.tenant_id))
    facts = {
        "account": account.name,
        "integration": integration_name(session, lane),
        "cause": "removed" if sent.action is Action.REMOVE else "written",
        "path": sent.path,
        "generation": sent.generation,
        "error": outcome.error or "",
        "will_retry": outcome.result is Result.TRANSIENT,
    }
    outbox.tell(
        sent.tenant_id,
        event_type,
        account_id=account.id,
        lane_id=sent.lane_id,
        facts=facts,
        targets=subscribers_of(session, account),
        ends=_PROBLEM.get(event_type),
    )


def tell_lane(session: Session, outbox: Outbox, lane: Lane, event_type: EventType) -> None:
    """Everybody who has to do with this lane hears of it, each once, and not through it."""
    facts = {
        "integration": integration_name(session, lane),
        "lane": lane.kind,
        "address": lane.address,
        "error": lane.paused_because or "",
    }
    outbox.tell(
        lane.tenant_id,
        event_type,
        lane_id=lane.id,
        facts=facts,
        targets=subscribers_of_lane(session, lane),
        ends=_PROBLEM.get(event_type),
    )


def integration_name(session: Session, lane: Lane) -> str:
    """Which of several of its kind: what a problem and its end are told apart by."""
    return session.get_one(Integration, (lane.integration_id, lane.tenant_id)).fqn
