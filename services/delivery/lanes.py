"""Lanes: whose turn it is to drain one, and when it is worth looking again.

A lane is drained by one process at a time: its lease and `claim` say by which.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from models import (
    Bucket,
    Delivery,
    DeliveryState,
    Integration,
    Lane,
    LaneState,
    Priority,
    Tenant,
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
    renew(lane, now)
    integration = session.get_one(Integration, (lane.integration_id, lane.tenant_id))
    tenant = session.get_one(Tenant, lane.tenant_id)
    return Turn(lane, integration, tenant.name, lane.claim, now + slice_)


def renew(lane: Lane, now: datetime) -> None:
    """The lease covers whatever the next claim may start; each claim renews it."""
    lane.leased_until = now + HORIZON + START_WITHIN + timedelta(seconds=lane.send_limit)


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


def hand_back(session: Session, turn: Turn, *, free_at: datetime) -> datetime | None:
    """Ends the turn and writes down when the lane is worth looking at; answers that moment.

    `free_at` is when the destination's limit bears the next send, as those of this turn went.
    """
    lane = locked(session, turn)
    if lane is None:
        return None
    lane.leased_until = None
    lane.wake_at = None
    if lane.state is LaneState.OPEN:
        wake_at = next_due(session, lane.id)
        if lane.quota_key is not None:
            throttle(session, lane, free_at)
        if wake_at is not None and lane.quota_key is not None:
            # As early as a claim gets instants: waiting for the next one would lose a tick a slice.
            next_at = session.get_one(Bucket, lane.quota_key, populate_existing=True).next_at
            wake_at = max(wake_at, next_at - HORIZON / 2)
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
    """The destination bears no more, or asked to wait: nobody sends there before `until`."""
    if lane.quota_key is not None:
        session.execute(
            update(Bucket)
            .where(Bucket.quota_key == lane.quota_key, Bucket.next_at < until)
            .values(next_at=until)
            .execution_options(synchronize_session=False)
        )
