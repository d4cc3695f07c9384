"""Claiming: what one lane sends next, each delivery with its own instant.

Claim, commit, send, record (law 2). The published limit of a destination is a GCRA instant
in the bucket that all its lanes share, advanced in the claim's own transaction (law 11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from models import (
    Action,
    Bucket,
    Delivery,
    DeliveryState,
    Lane,
    LaneState,
    Priority,
)
from services import bulk
from services.delivery.claimed import Claimed, selection
from services.delivery.lanes import HORIZON, START_WITHIN, Turn, locked, renew
from services.delivery.merging import mark, merged

# How often a message that did not get through is what a probe sends rather than another.
_PROBED_FIRST = 10


@dataclass(frozen=True)
class Claim:
    """What a claim got. `again_at` is when the quota allows the next one; None: nothing is due."""

    deliveries: Sequence[Claimed] = ()
    again_at: datetime | None = None


def claim(
    session: Session,
    turn: Turn,
    now: datetime,
    most: int,
    *,
    not_before: datetime | None = None,
    first_cost: float | None = None,
    digests: bool = True,
) -> Claim:
    """Claims at most `most` due deliveries, to be sent at or after `not_before`.

    A first write to a place costs `first_cost` calls, as any other if that is None. Without
    `digests` each notice is a message of its own. Empty if the turn is over, the breaker wants to
    wait, or nothing is due within the quota.
    """
    lane = locked(session, turn)
    if lane is None or lane.state is not LaneState.OPEN:
        return Claim()
    renew(lane, now)
    if probing := lane.probe_at is not None:
        if lane.probe_at > now:
            return Claim()
        most = 1
        lane.probe_at = now + timedelta(seconds=lane.send_limit)
    bucket = _bucket(session, lane)
    start = max(now, not_before or now, bucket.next_at if bucket is not None else now)
    room = _room(lane, now, start)
    if room == 0:
        again_at = start - HORIZON / 2
        return Claim(again_at=again_at if again_at < turn.until else None)
    most_in_digest = lane.most_in_digest if digests else 1
    due = _due(
        session,
        _worth_a_try(now, rather_begun=probing and most_in_digest > 1),
        lane,
        now,
        most if room is None else min(most, room),
    )
    found = merged(session, lane, due, most_in_digest)
    if not found:
        return Claim()
    claimed: list[Claimed] = []
    for row in found:
        if claimed and start > now + HORIZON:
            break
        uses = _uses(lane, first_cost if row.is_first else None)
        claimed.append(row.taken(start, uses, is_probe=probing))
        start += uses
    if bucket is not None:
        bucket.next_at = start
    lease = START_WITHIN + 2 * timedelta(seconds=lane.send_limit)
    _take(session, claimed, leased_until=claimed[-1].send_at + lease)
    return Claim(claimed, again_at=None if probing else now)


def _bucket(session: Session, lane: Lane) -> Bucket | None:
    """The bucket of a lane whose destination counts or throttles its calls, locked."""
    if lane.quota_key is None:
        return None
    return session.get_one(Bucket, lane.quota_key, with_for_update=True, populate_existing=True)


def _uses(lane: Lane, cost: float | None = None) -> timedelta:
    """How much of the limit's time one send takes; nothing without a published limit."""
    if not lane.per_second:
        return timedelta(0)
    return timedelta(seconds=(lane.cost if cost is None else cost) / lane.per_second)


def _room(lane: Lane, now: datetime, start: datetime) -> int | None:
    """How many sends begin within the horizon; None: as many as one likes.

    They are evenly spaced, so that no second sees more than the limit.
    """
    if start > now + HORIZON:
        return 0
    step = _uses(lane)
    return int((now + HORIZON - start) / step) + 1 if step else None


def _worth_a_try(now: datetime, *, rather_begun: bool) -> list[Any]:
    """Conditions on deliveries, in the order in which they have their turn.

    A probe is `rather_begun`: it sends a message that was sent before, so that what gathers
    meanwhile becomes few large ones. One that never gets through must not hold up the rest.
    """
    again = and_(
        Delivery.state == DeliveryState.PENDING,
        Delivery.digest_id.is_not(None),
        Delivery.failures < _PROBED_FIRST,
    )
    orphaned = and_(Delivery.state == DeliveryState.SENDING, Delivery.leased_until <= now)
    urgent, *others = (
        and_(
            Delivery.state == DeliveryState.PENDING,
            Delivery.priority == priority,
            Delivery.due_at <= now,
        )
        for priority in Priority
    )
    return [orphaned, urgent, *([again] if rather_begun else []), *others]


def _due(
    session: Session, clauses: Sequence[Any], lane: Lane, now: datetime, most: int
) -> list[Claimed]:
    """What is due, worst first; what a newer revision or the time made pointless is settled."""
    found: list[Claimed] = []
    pointless: list[UUID] = []
    documents: set[str] = set()
    for clause in clauses:
        if len(found) >= most:
            break
        for columns in session.execute(_claimable(lane, clause, most - len(found))):
            row = Claimed._make((*columns, now, False, timedelta(0), (), False))
            is_old = row.place_revision is not None and row.revision < row.place_revision
            if is_old or row.is_past(now):
                pointless.append(row.id)
            elif row.document is None or row.document not in documents:
                found.append(row)
                documents.update({row.document} if row.document else ())
    _settle_pointless(session, pointless, now)
    return found


def _claimable(lane: Lane, clause: Any, most: int) -> Any:
    """Rows of this lane, without those whose document another send is changing."""
    other = (
        select(Delivery.document)
        .where(
            Delivery.lane_id == lane.id,
            Delivery.state == DeliveryState.SENDING,
            Delivery.document.is_not(None),
        )
        .scalar_subquery()
    )
    free = or_(
        Delivery.state == DeliveryState.SENDING,
        Delivery.document.is_(None),
        Delivery.document.not_in(other),
    )
    return selection(lane, clause, free).order_by(Delivery.priority, Delivery.due_at).limit(most)


def _take(session: Session, messages: Sequence[Claimed], *, leased_until: datetime) -> None:
    mark(session, [message for message in messages if message.action is Action.NOTICE])
    rows = [row.id for message in messages for row in message.all]
    session.execute(
        update(Delivery)
        .where(bulk.among(session, Delivery.id, rows))
        .values(state=DeliveryState.SENDING, claim=Delivery.claim + 1, leased_until=leased_until)
        .execution_options(synchronize_session=False)
    )


def _settle_pointless(session: Session, rows: Sequence[UUID], now: datetime) -> None:
    if rows:
        session.execute(
            update(Delivery)
            .where(bulk.among(session, Delivery.id, rows))
            .values(state=DeliveryState.SUPERSEDED, settled_at=now, leased_until=None)
            .execution_options(synchronize_session=False)
        )
