"""Claiming: what one lane sends next, each delivery with its own instant.

Claim, commit, send, record (law 2). The published limit of a destination is a GCRA instant
in the bucket that all its lanes share, advanced in the claim's own transaction (law 11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from core.events import EventType
from models import (
    Action,
    Bucket,
    Delivery,
    DeliveryState,
    Event,
    Lane,
    LaneState,
    Place,
    Priority,
    TokenRow,
    TokenState,
)
from services import bulk
from services.lanes import HORIZON, START_WITHIN, Turn, locked, renew


class Claimed(NamedTuple):
    """One delivery that is the caller's to send at `send_at`, with all that the send needs.

    `claim` is its fence. `sealed` is the token of its generation, or None if a newer one has
    taken its place.
    """

    id: UUID
    tenant_id: UUID
    claim: int
    action: Action
    lane_id: UUID
    account_id: UUID | None
    place_id: UUID | None
    document: str | None
    address: str | None
    revision: int
    generation: int
    failures: int
    created_at: datetime
    event_id: UUID
    event_type: EventType
    severity: int
    event_at: datetime
    facts: dict[str, Any]
    path: str | None
    key: str | None
    layout: dict[str, Any] | None
    adopt: bool | None
    takes_over: UUID | None
    place_revision: int | None
    token_id: UUID | None
    sealed: bytes | None
    send_at: datetime
    is_probe: bool


_COLUMNS = (
    Delivery.id,
    Delivery.tenant_id,
    Delivery.claim,
    Delivery.action,
    Delivery.lane_id,
    Delivery.account_id,
    Delivery.place_id,
    Delivery.document,
    Delivery.address,
    Delivery.revision,
    Delivery.generation,
    Delivery.failures,
    Delivery.created_at,
    Delivery.event_id,
    Event.type,
    Event.severity,
    Event.at,
    Event.facts,
    Place.path,
    Place.key,
    Place.layout,
    Place.adopt,
    Place.takes_over,
    Place.revision,
    TokenRow.id,
    TokenRow.sealed,
)


@dataclass(frozen=True)
class Claim:
    """What a claim got. `again_at` is when the quota allows the next one; None: nothing is due."""

    deliveries: Sequence[Claimed] = ()
    again_at: datetime | None = None


def claim(session: Session, turn: Turn, now: datetime, most: int) -> Claim:
    """Claims at most `most` due deliveries.

    Empty if the turn is over, the breaker wants to wait, or nothing is due within the quota.
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
    instants = _instants(lane, bucket, now, most)
    if not instants:
        assert bucket is not None
        again_at = bucket.next_at - HORIZON / 2
        return Claim(again_at=again_at if again_at < turn.until else None)
    found = _due(session, lane, now, len(instants))
    if not found:
        return Claim()
    if bucket is not None:
        bucket.next_at = instants[len(found) - 1] + _step(lane)
    lease = START_WITHIN + 2 * timedelta(seconds=lane.send_limit)
    _take(session, found, leased_until=instants[len(found) - 1] + lease)
    claimed = [
        row._replace(claim=row.claim + 1, send_at=send_at, is_probe=probing)
        for row, send_at in zip(found, instants, strict=False)
    ]
    return Claim(claimed, again_at=None if probing else now)


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


def _due(session: Session, lane: Lane, now: datetime, most: int) -> list[Claimed]:
    """What is due, worst first; what a newer revision made pointless is settled on the way."""
    found: list[Claimed] = []
    pointless: list[UUID] = []
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
        for columns in session.execute(_claimable(lane, clause, most - len(found))):
            row = Claimed._make((*columns, now, False))
            if row.place_revision is not None and row.revision < row.place_revision:
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
    tenant = Delivery.tenant_id
    return (
        select(*_COLUMNS)
        .join(Event, and_(Event.id == Delivery.event_id, Event.tenant_id == tenant))
        .outerjoin(Place, and_(Place.id == Delivery.place_id, Place.tenant_id == tenant))
        .outerjoin(
            TokenRow,
            and_(
                TokenRow.account_id == Place.account_id,
                TokenRow.tenant_id == tenant,
                TokenRow.generation == Delivery.generation,
                TokenRow.state == TokenState.CURRENT,
            ),
        )
        .where(Delivery.lane_id == lane.id, clause, free)
        .order_by(Delivery.due_at)
        .limit(most)
        .with_for_update(key_share=True, skip_locked=True, of=Delivery)
    )


def _take(session: Session, found: Sequence[Claimed], *, leased_until: datetime) -> None:
    session.execute(
        update(Delivery)
        .where(bulk.among(session, Delivery.id, [row.id for row in found]))
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
