"""What can be asked of a list of accounts beside names and owners: how they are."""

from collections.abc import Callable, Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, or_, select, union
from sqlalchemy.orm import aliased

from core.actors import Actor
from models import AccountState, Place, PlaceState, VirtualAccount
from services.runtime import Runtime

Condition = ColumnElement[bool]


class Status(StrEnum):
    """How an account is. Several may hold at once."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    TROUBLED = "troubled"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


def condition_of(status: Status, tenant_id: UUID, now: datetime) -> Condition:
    """As a condition on an account's row."""
    if status is Status.TROUBLED:
        return VirtualAccount.id.in_(_troubled(tenant_id))
    return _CONDITIONS[status](now)


def refused_among(runtime: Runtime, actor: Actor, accounts: Collection[UUID]) -> frozenset[UUID]:
    """Those of these that a store refuses, or holds something else for."""
    with runtime.database.reading() as session:
        found = session.scalars(
            select(Place.account_id).where(
                Place.tenant_id == actor.tenant_id, Place.account_id.in_(accounts), _wrong()
            )
        )
        return frozenset(found)


def _wrong() -> Condition:
    """As the index of wrong places says it."""
    return (Place.state == PlaceState.ACTIVE) & or_(
        Place.last_error.is_not(None), Place.drift.is_not(None)
    )


def _troubled(tenant_id: UUID) -> CompoundSelect[UUID]:
    """Its rotation fails or waits, or a store refuses it or holds something else.

    Read from indexes that hold only these.
    """
    rotating = aliased(VirtualAccount)
    return union(
        select(rotating.id).where(
            rotating.tenant_id == tenant_id,
            or_(rotating.rotation_failures > 0, rotating.waiting_since.is_not(None)),
        ),
        select(Place.account_id).where(Place.tenant_id == tenant_id, _wrong()),
    )


_CONDITIONS: dict[Status, Callable[[datetime], Condition]] = {
    Status.SCHEDULED: lambda _now: VirtualAccount.due_at.is_not(None),
    Status.MANUAL: lambda _now: (
        VirtualAccount.rotation_interval.is_(None) & VirtualAccount.rotation_schedule.is_(None)
    ),
    Status.PAUSED: lambda _now: VirtualAccount.paused_at.is_not(None),
    Status.SUSPENDED: lambda _now: VirtualAccount.state == AccountState.SUSPENDED,
    Status.EXPIRED: lambda now: VirtualAccount.expires_at <= now,
}
