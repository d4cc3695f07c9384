"""What can be asked of a list of accounts beside names and owners: how they are."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, or_, select

from models import AccountState, Place, PlaceState, VirtualAccount

Condition = ColumnElement[bool]


class Status(StrEnum):
    """How an account is. Several may hold at once."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    TROUBLED = "troubled"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


def condition_of(status: Status, now: datetime) -> Condition:
    """As a condition on an account's row."""
    return _CONDITIONS[status](now)


def _troubled(_now: datetime) -> Condition:
    """Its rotation fails or waits, or a store refuses it or holds something else."""
    refused = select(Place.account_id).where(
        Place.tenant_id == VirtualAccount.tenant_id,
        Place.state == PlaceState.ACTIVE,
        or_(Place.last_error.is_not(None), Place.drift.is_not(None)),
    )
    return or_(
        VirtualAccount.rotation_failures > 0,
        VirtualAccount.waiting_since.is_not(None),
        VirtualAccount.id.in_(refused),
    )


_CONDITIONS: dict[Status, Callable[[datetime], Condition]] = {
    Status.SCHEDULED: lambda _now: VirtualAccount.due_at.is_not(None),
    Status.MANUAL: lambda _now: (
        VirtualAccount.rotation_interval.is_(None) & VirtualAccount.rotation_schedule.is_(None)
    ),
    Status.TROUBLED: _troubled,
    Status.PAUSED: lambda _now: VirtualAccount.paused_at.is_not(None),
    Status.SUSPENDED: lambda _now: VirtualAccount.state == AccountState.SUSPENDED,
    Status.EXPIRED: lambda now: VirtualAccount.expires_at <= now,
}
