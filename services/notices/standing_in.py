"""Standing in: what a dead channel cannot tell goes to the next target, which says so and why.

That is somebody else who hears of the account and can be reached: of its own list, its team's, the
tenant's. Whoever chose such notices comes first; if there is nobody, the next one of the list is
told all the same. The channel itself tells it, too, once it is back; no destination is told twice.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from core.events import PERSONAL, EventType, Severity
from core.ids import recipient_id
from models import OPEN, Delivery, DeliveryState, Event, Integration, Lane
from services import bulk
from services.delivery.sending import Outcome
from services.notices.subscribers import Ladder, Recipient, ladders, somebody_is_reachable
from services.outbox import Outbox, written
from services.runtime import Runtime

BATCH = 500
_AGAIN = timedelta(minutes=1)  # what comes to a dead channel meanwhile is looked at then
_TOLD = OPEN | {DeliveryState.DONE}


class Untold(NamedTuple):
    """A notice that its channel cannot tell, and why."""

    id: UUID
    event_id: UUID
    account_id: UUID | None
    address: str
    event_type: EventType
    severity: int
    because: str


def pass_on_due(runtime: Runtime) -> int:
    """Passes on what waits at channels that are dead for long; answers how many notices that was.

    What nobody can be told stays where it is, and is looked at again.
    """
    now = runtime.now()
    long_ago = now - runtime.settings.fallback_after
    with runtime.database.reading() as session:
        dead = session.scalars(select(Lane.id).where(*_due(now, long_ago))).all()
    return sum(_empty(runtime, lane_id, now, long_ago) for lane_id in dead)


def pass_on_refused(
    session: Session, outbox: Outbox, lane: Lane, refused: Iterable[Outcome]
) -> None:
    """What will never be told to its recipient is told to somebody else at once."""
    untold = [
        Untold(
            row.id,
            row.event_id,
            row.account_id,
            row.address or "",
            row.event_type,
            row.severity,
            outcome.error or "",
        )
        for outcome in refused
        for row in outcome.claimed.all
        if row.event_type not in PERSONAL
    ]
    _pass_on(session, outbox, lane, untold, since=None)


def _due(now: datetime, long_ago: datetime) -> Sequence[ColumnElement[bool]]:
    return (
        Lane.dead_since <= long_ago,
        or_(Lane.passed_on_at.is_(None), Lane.passed_on_at <= now - _AGAIN),
    )


def _empty(runtime: Runtime, lane_id: UUID, now: datetime, long_ago: datetime) -> int:
    """All that waits on this lane, page by page; nothing if somebody else is at it."""

    def take(session: Session) -> bool:
        tenant_id = session.scalar(
            update(Lane)
            .where(Lane.id == lane_id, *_due(now, long_ago))
            .values(passed_on_at=now)
            .returning(Lane.tenant_id)
        )
        return tenant_id is not None and somebody_is_reachable(session, tenant_id)

    passed, after = 0, UUID(int=0) if runtime.database.write(take) else None
    while after is not None:
        done, after = runtime.change(
            lambda session, outbox, after=after: _page(session, outbox, lane_id, after)  # type: ignore[misc]
        )
        passed += done
    return passed


def _page(session: Session, outbox: Outbox, lane_id: UUID, after: UUID) -> tuple[int, UUID | None]:
    lane = session.scalars(select(Lane).where(Lane.id == lane_id)).one()
    if lane.dead_since is None:
        return 0, None
    because = lane.paused_because or lane.last_error or "it does not answer"
    rows = session.execute(
        select(
            Delivery.id,
            Delivery.event_id,
            Delivery.account_id,
            Delivery.address,
            Event.type,
            Event.severity,
        )
        .join(Event, and_(Event.id == Delivery.event_id, Event.tenant_id == Delivery.tenant_id))
        .where(
            Delivery.lane_id == lane.id,
            Delivery.tenant_id == lane.tenant_id,
            Delivery.state == DeliveryState.PENDING,
            Delivery.address.is_not(None),
            ~Delivery.passed_on,
            Delivery.id > after,
            Event.type.not_in(PERSONAL),
        )
        .order_by(Delivery.id)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True, of=Delivery)
    ).all()
    untold = [
        Untold(
            row.id, row.event_id, row.account_id, row.address or "", row.type, row.severity, because
        )
        for row in rows
    ]
    passed = _pass_on(session, outbox, lane, untold, since=lane.dead_since)
    return len(passed), rows[-1].id if len(rows) == BATCH else None


def _pass_on(
    session: Session,
    outbox: Outbox,
    lane: Lane,
    untold: Sequence[Untold],
    *,
    since: datetime | None,
) -> Collection[UUID]:
    """Answers what was passed on, or had been told to somebody who stands in anyway."""
    if not untold:
        return ()
    found = ladders(session, lane.tenant_id, {one.account_id for one in untold})
    dead = _dead(session, found.values())
    told = _told(session, {one.event_id for one in untold})
    fqn = session.get_one(Integration, (lane.integration_id, lane.tenant_id)).fqn
    passed = []
    for one in untold:
        own = recipient_id(lane.id, one.address)
        choice = _choose(found[one.account_id], own, one, dead, told)
        if choice is None:
            continue
        passed.append(one.id)
        recipient = recipient_id(choice.lane_id, choice.address)
        if (one.event_id, recipient) in told:
            continue
        told[one.event_id, recipient] = DeliveryState.PENDING
        outbox.stand_in(
            one.event_id,
            choice,
            event_type=one.event_type,
            severity=Severity(one.severity),
            account_id=one.account_id,
            facts={
                "instead_of": f"{fqn} ({one.address})" if one.address else fqn,
                "instead_since": written(since),
                "instead_because": one.because,
            },
        )
    if passed:
        session.execute(
            update(Delivery)
            .where(bulk.among(session, Delivery.id, passed))
            .values(passed_on=True)
            .execution_options(synchronize_session=False)
        )
    return passed


def _choose(
    ladder: Ladder,
    own: UUID,
    untold: Untold,
    dead: Collection[UUID],
    told: Mapping[tuple[UUID, UUID], DeliveryState],
) -> Recipient | None:
    """Who is told instead, or was told anyway; None if nobody can be reached."""
    reachable = [
        one
        for one in _next(ladder, own)
        if one.lane_id not in dead
        and told.get((untold.event_id, recipient_id(one.lane_id, one.address)), DeliveryState.DONE)
        in _TOLD
    ]
    fitting = (one for one in reachable if one.wants(untold.event_type, untold.severity))
    return next(fitting, reachable[0] if reachable else None)


def _next(ladder: Ladder, own: UUID) -> Iterator[Recipient]:
    """All others: those behind this one in its list first, then the other lists from there on."""
    for number, rung in enumerate(ladder):
        ids = [recipient_id(one.lane_id, one.address) for one in rung]
        if own in ids:
            place = ids.index(own)
            yield from (*rung[place + 1 :], *rung[:place])
            ladder = (*ladder[number + 1 :], *ladder[:number])
            break
    for rung in ladder:
        yield from rung


def _dead(session: Session, found: Iterable[Ladder]) -> Collection[UUID]:
    lanes = {one.lane_id for ladder in found for rung in ladder for one in rung}
    query = select(Lane.id).where(bulk.among(session, Lane.id, lanes), Lane.dead_since.is_not(None))
    return set(session.scalars(query))


def _told(session: Session, events: Collection[UUID]) -> dict[tuple[UUID, UUID], Any]:
    """Who is told of these events, and how that stands."""
    rows = session.execute(
        select(Delivery.event_id, Delivery.destination, Delivery.state).where(
            bulk.among(session, Delivery.event_id, events)
        )
    )
    return {(row[0], row[1]): row[2] for row in rows}
