"""Lanes: claiming what one destination is sent next, and when it is worth looking again.

Claim, commit, send, record (law 2). A lane is drained by one process at a time: its lease
and `claim` say whose turn it is. The published limit of a destination is a GCRA instant in
the bucket that all its lanes share, advanced in the claim's own transaction (law 11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from models import (
    Bucket,
    Delivery,
    DeliveryState,
    Event,
    Integration,
    Lane,
    LaneState,
    Place,
    Priority,
    Tenant,
    TokenRow,
    TokenState,
)

# One claim looks no further ahead than this, so that lanes sharing a bucket take turns.
HORIZON = timedelta(seconds=1)
# How long after its claim a send may still start.
START_WITHIN = timedelta(seconds=2)


@dataclass(frozen=True)
class Turn:
    """The right to drain a lane until `until`; `claim` is its fence."""

    lane: Lane
    integration: Integration
    tenant: str
    claim: int
    until: datetime


@dataclass(frozen=True)
class Claim:
    """What a claim got. `again_at` is when the quota allows the next one; None: nothing is due."""

    deliveries: Sequence["Claimed"] = ()
    again_at: datetime | None = None


@dataclass(frozen=True)
class Claimed:
    """One delivery to send at `send_at`, with what the send needs."""

    delivery: Delivery
    event: Event
    claim: int
    send_at: datetime
    is_probe: bool = False
    place: Place | None = None
    sealed: bytes | None = None
    token_id: UUID | None = None


def take_turn(session: Session, lane_id: UUID, now: datetime, slice_: timedelta) -> Turn | None:
    """Leases the lane to the caller; None if another drains it, or it is paused or gone."""
    lane = session.scalar(
        select(Lane).where(Lane.id == lane_id).with_for_update(key_share=True, skip_locked=True)
    )
    if lane is None or lane.state is not LaneState.OPEN:
        return None
    if lane.leased_until is not None and lane.leased_until > now:
        return None
    lane.claim += 1
    _renew(lane, now)
    integration = session.get_one(Integration, (lane.integration_id, lane.tenant_id))
    tenant = session.get_one(Tenant, lane.tenant_id)
    return Turn(lane, integration, tenant.name, lane.claim, now + slice_)


def _renew(lane: Lane, now: datetime) -> None:
    """The lease covers whatever the next claim may start; each claim renews it."""
    lane.leased_until = now + HORIZON + START_WITHIN + timedelta(seconds=lane.send_limit)


def claim(session: Session, turn: Turn, now: datetime, most: int) -> Claim:
    """Claims at most `most` due deliveries, each with its own send instant.

    Empty if the turn is over, the breaker wants to wait, or nothing is due within the quota.
    """
    lane = locked(session, turn)
    if lane is None or lane.state is not LaneState.OPEN:
        return Claim()
    _renew(lane, now)
    if probing := lane.probe_at is not None:
        if lane.probe_at > now:
            return Claim()
        most = 1
        lane.probe_at = now + timedelta(seconds=lane.send_limit)
    bucket = _bucket(session, lane)
    instants = _instants(lane, bucket, now, most)
    if not instants:
        assert bucket is not None
        again_at = bucket.next_at - HORIZON / 2
        return Claim(again_at=again_at if again_at < turn.until else None)
    rows = _due(session, lane, now, len(instants))
    if rows and bucket is not None:
        bucket.next_at = instants[len(rows) - 1] + _step(lane)
    lease = START_WITHIN + 2 * timedelta(seconds=lane.send_limit)
    for row, send_at in zip(rows, instants, strict=False):
        row.state = DeliveryState.SENDING
        row.claim += 1
        row.leased_until = send_at + lease
    session.flush()
    claimed = _with_what_it_needs(session, rows, instants, is_probe=probing)
    return Claim(claimed, again_at=now if claimed and not probing else None)


def locked(session: Session, turn: Turn) -> Lane | None:
    """The lane, locked; None if the turn was lost to another drain."""
    return session.scalar(
        select(Lane)
        .where(
            Lane.id == turn.lane.id,
            Lane.tenant_id == turn.lane.tenant_id,
            Lane.claim == turn.claim,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def _bucket(session: Session, lane: Lane) -> Bucket | None:
    """The bucket of a lane with a published limit, locked."""
    if lane.quota_key is None or not lane.per_second:
        return None
    return session.get_one(Bucket, lane.quota_key, with_for_update=True, populate_existing=True)


def _step(lane: Lane) -> timedelta:
    assert lane.per_second
    return timedelta(seconds=lane.cost / lane.per_second)


def _instants(lane: Lane, bucket: Bucket | None, now: datetime, most: int) -> list[datetime]:
    """Evenly spaced send instants within the horizon: no second sees more than the limit."""
    if bucket is None:
        return [now] * most
    start = max(bucket.next_at, now)
    if start > now + HORIZON:
        return []
    room = int((now + HORIZON - start) / _step(lane)) + 1
    return [start + n * _step(lane) for n in range(min(most, room))]


def _due(session: Session, lane: Lane, now: datetime, most: int) -> list[Delivery]:
    """What is due, worst first; what a newer revision made pointless is settled on the way."""
    found: list[Delivery] = []
    documents: set[str] = set()
    for clause in (
        and_(Delivery.state == DeliveryState.SENDING, Delivery.leased_until <= now),
        *(
            and_(
                Delivery.state == DeliveryState.PENDING,
                Delivery.priority == priority,
                Delivery.due_at <= now,
            )
            for priority in Priority
        ),
    ):
        if len(found) >= most:
            break
        for row, revision in session.execute(_claimable(lane, clause, most - len(found))):
            if revision is not None and row.revision < revision:
                row.state = DeliveryState.SUPERSEDED
                row.settled_at = now
            elif row.document is None or row.document not in documents:
                found.append(row)
                if row.document is not None:
                    documents.add(row.document)
    session.flush()
    return found


def _claimable(lane: Lane, clause: Any, most: int) -> Any:
    """Rows of this lane, without those whose document another send is changing."""
    other = (
        select(Delivery.document)
        .where(
            Delivery.tenant_id == lane.tenant_id,
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
    return (
        select(Delivery, Place.revision)
        .outerjoin(
            Place, and_(Place.tenant_id == Delivery.tenant_id, Place.id == Delivery.place_id)
        )
        .where(Delivery.lane_id == lane.id, clause, free)
        .order_by(Delivery.due_at)
        .limit(most)
        .with_for_update(key_share=True, skip_locked=True, of=Delivery)
        .execution_options(populate_existing=True)
    )


def _with_what_it_needs(
    session: Session, rows: Sequence[Delivery], instants: Sequence[datetime], *, is_probe: bool
) -> list[Claimed]:
    events = {
        event.id: event
        for event in session.scalars(select(Event).where(_keys(Event, rows, "event_id")))
    }
    places = {
        place.id: place
        for place in session.scalars(select(Place).where(_keys(Place, rows, "place_id")))
    }
    tokens = {
        (token.account_id, token.generation): token
        for token in session.scalars(
            select(TokenRow).where(
                TokenRow.tenant_id.in_({row.tenant_id for row in rows}),
                TokenRow.account_id.in_({row.account_id for row in rows if row.place_id}),
                TokenRow.state == TokenState.CURRENT,
            )
        )
    }
    claimed = []
    for row, send_at in zip(rows, instants, strict=False):
        token = tokens.get((row.account_id, row.generation)) if row.account_id else None
        claimed.append(
            Claimed(
                delivery=row,
                event=events[row.event_id],
                claim=row.claim,
                send_at=send_at,
                is_probe=is_probe,
                place=places.get(row.place_id) if row.place_id else None,
                sealed=token.sealed if token else None,
                token_id=token.id if token else None,
            )
        )
    return claimed


def _keys(model: Any, rows: Sequence[Delivery], reference: str) -> Any:
    wanted = {getattr(row, reference) for row in rows} - {None}
    return and_(model.tenant_id.in_({row.tenant_id for row in rows}), model.id.in_(wanted))


def hand_back(session: Session, turn: Turn) -> datetime | None:
    """Ends the turn and writes down when the lane is worth looking at; answers that moment."""
    lane = locked(session, turn)
    if lane is None:
        return None
    lane.leased_until = None
    lane.wake_at = None
    if lane.state is LaneState.OPEN:
        wake_at = next_due(session, lane.id)
        if wake_at is not None and lane.quota_key is not None and lane.per_second:
            wake_at = max(wake_at, session.get_one(Bucket, lane.quota_key).next_at)
        if wake_at is not None and lane.probe_at is not None:
            wake_at = max(wake_at, lane.probe_at)
        lane.wake_at = wake_at
    return lane.wake_at


def next_due(session: Session, lane_id: UUID) -> datetime | None:
    """The first moment at which something of this lane is due; one index probe a priority."""
    moments = [
        session.scalar(
            select(func.min(Delivery.due_at)).where(
                Delivery.lane_id == lane_id,
                Delivery.state == DeliveryState.PENDING,
                Delivery.priority == priority,
            )
        )
        for priority in Priority
    ]
    moments.append(
        session.scalar(
            select(func.min(Delivery.leased_until)).where(
                Delivery.lane_id == lane_id, Delivery.state == DeliveryState.SENDING
            )
        )
    )
    return min((moment for moment in moments if moment is not None), default=None)


def due_lanes(session: Session, now: datetime, limit: int = 1_000) -> list[tuple[UUID, bool]]:
    """Lanes worth looking at now, and whether each is troubled; the longest due first."""
    rows = session.execute(
        select(Lane.id, Lane.failures, Lane.refusals)
        .where(
            Lane.wake_at <= now,
            or_(Lane.leased_until.is_(None), Lane.leased_until <= now),
        )
        .order_by(Lane.wake_at)
        .limit(limit)
    )
    return [(row.id, bool(row.failures or row.refusals)) for row in rows]


def throttle(session: Session, lane: Lane, until: datetime) -> None:
    """The destination asked to wait: nobody sends there before `until`."""
    if lane.quota_key is not None:
        session.execute(
            update(Bucket)
            .where(Bucket.quota_key == lane.quota_key, Bucket.next_at < until)
            .values(next_at=until)
        )
