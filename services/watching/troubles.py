"""What is not as it should be in a tenant: a few of each kind, the worst first.

Each question is answered by an index of its own, that holds only what is wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from core.actors import Actor
from core.events import Severity
from models import (
    AccountState,
    Delivery,
    DeliveryState,
    Integration,
    Lane,
    LaneState,
    Place,
    PlaceState,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services.accounts.account_views import visible

FEW = 8  # of each kind
RECENT = timedelta(days=7)


class TroubleKind(StrEnum):
    """What is wrong."""

    LANE_PAUSED = "lane paused"
    HELD = "held"
    ROTATION_FAILED = "rotation failed"
    PLACE_REFUSED = "place refused"
    NOTICE_FAILED = "notice failed"
    LANE_SILENT = "lane silent"
    PLACE_SILENT = "place silent"
    WAITING = "waiting"
    DRIFTED = "drifted"


_SEVERITY = {
    TroubleKind.LANE_PAUSED: Severity.CRITICAL,
    TroubleKind.HELD: Severity.CRITICAL,
    TroubleKind.ROTATION_FAILED: Severity.CRITICAL,
    TroubleKind.PLACE_REFUSED: Severity.CRITICAL,
}


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong: where, since or until when, and what was said about it."""

    kind: TroubleKind
    name: str
    account_id: UUID | None = None
    integration_id: UUID | None = None
    where: str = ""
    said: str = ""
    at: datetime | None = None
    number: int = 0

    @property
    def severity(self) -> Severity:
        return _SEVERITY.get(self.kind, Severity.WARNING)


def troubles_of(session: Session, actor: Actor, now: datetime) -> list[Trouble]:
    """Those that the actor may see; a fixed number of queries."""
    seen = (VirtualAccount.tenant_id == actor.tenant_id, visible(actor))
    found = [
        *_lanes(session, actor),
        *_held(session, seen, now),
        *_rotations(session, seen),
        *_places(session, seen, _sees_lanes(actor)),
        *_notices(session, seen, now),
    ]
    order = list(TroubleKind)
    return sorted(found, key=lambda one: (-one.severity, order.index(one.kind)))


def _sees_lanes(actor: Actor) -> bool:
    return actor.permits.allow_everywhere("provider-integration:read")


_Seen = tuple[ColumnElement[bool], ...]


def _lanes(session: Session, actor: Actor) -> Iterator[Trouble]:
    if not _sees_lanes(actor):
        return
    rows = session.execute(
        select(Lane, Integration.id, Integration.name)
        .join(
            Integration,
            (Integration.id == Lane.integration_id) & (Integration.tenant_id == Lane.tenant_id),
        )
        .where(
            Lane.tenant_id == actor.tenant_id,
            or_(Lane.state == LaneState.PAUSED, Lane.probe_at.is_not(None)),
            Integration.deleted_at.is_(None),
        )
        .order_by(Lane.state.desc(), Integration.fqn, Lane.address)
        .limit(2 * FEW)
    )
    for lane, integration_id, name in rows:
        is_paused = lane.state is LaneState.PAUSED
        yield Trouble(
            TroubleKind.LANE_PAUSED if is_paused else TroubleKind.LANE_SILENT,
            name,
            integration_id=integration_id,
            where=lane.address,
            said=(lane.paused_because if is_paused else lane.last_error) or "",
            at=lane.succeeded_at,
            number=lane.failures,
        )


def _held(session: Session, seen: _Seen, now: datetime) -> Iterator[Trouble]:
    rows = session.execute(
        select(TokenRow.generation, TokenRow.hold_until, VirtualAccount.id, VirtualAccount.name)
        .join(VirtualAccount, _of(TokenRow.account_id, TokenRow.tenant_id))
        .where(
            TokenRow.tenant_id == VirtualAccount.tenant_id,
            TokenRow.state == TokenState.GRACE,
            TokenRow.released_at.is_(None),
            TokenRow.hold_until != TokenRow.grace_until,
            TokenRow.grace_until <= now,
            TokenRow.valid_until > now,
            *seen,
        )
        .order_by(TokenRow.grace_until)
        .limit(FEW)
    )
    for generation, until, account_id, name in rows:
        yield Trouble(TroubleKind.HELD, name, account_id, at=until, number=generation)


def _rotations(session: Session, seen: _Seen) -> Iterator[Trouble]:
    rows = session.scalars(
        select(VirtualAccount)
        .where(
            or_(VirtualAccount.rotation_failures > 0, VirtualAccount.waiting_since.is_not(None)),
            VirtualAccount.state == AccountState.ACTIVE,
            *seen,
        )
        .order_by(VirtualAccount.rotation_failures.desc(), VirtualAccount.waiting_since)
        .limit(2 * FEW)
    )
    for row in rows:
        if row.rotation_failures:
            yield Trouble(
                TroubleKind.ROTATION_FAILED,
                row.name,
                row.id,
                at=row.due_at,
                number=row.rotation_failures,
            )
        else:
            yield Trouble(TroubleKind.WAITING, row.name, row.id, at=row.waiting_since)


def _places(session: Session, seen: _Seen, without_lanes: bool) -> Iterator[Trouble]:
    """What a whole lane's trouble is about already is told with the lane."""
    of_lane = or_(Lane.state == LaneState.PAUSED, Lane.probe_at.is_not(None))
    rows: Sequence[tuple[Place, str, int, UUID, str]] = session.execute(
        select(Place, Integration.name, Lane.failures, VirtualAccount.id, VirtualAccount.name)
        .join(VirtualAccount, _of(Place.account_id, Place.tenant_id))
        .join(Lane, (Lane.id == Place.lane_id) & (Lane.tenant_id == Place.tenant_id))
        .join(
            Integration,
            (Integration.id == Place.integration_id) & (Integration.tenant_id == Place.tenant_id),
        )
        .where(
            Place.state == PlaceState.ACTIVE,
            or_(Place.last_error.is_not(None), Place.drift.is_not(None)),
            ~of_lane if without_lanes else true(),
            *seen,
        )
        .order_by(Place.last_error.is_(None), VirtualAccount.name, Place.path)
        .limit(2 * FEW)
    ).all()
    for place, integration, failures, account_id, name in rows:
        refused = TroubleKind.PLACE_SILENT if failures else TroubleKind.PLACE_REFUSED
        yield Trouble(
            refused if place.last_error else TroubleKind.DRIFTED,
            name,
            account_id,
            where=f"{integration}: {place.path}",
            said=place.last_error or place.drift or "",
            at=place.confirmed_at,
        )


def _notices(session: Session, seen: _Seen, now: datetime) -> Iterator[Trouble]:
    count = func.count().label("count")
    rows = session.execute(
        select(
            VirtualAccount.id,
            VirtualAccount.name,
            Delivery.address,
            func.max(Delivery.settled_at),
            func.max(Delivery.error),
            count,
        )
        .join(VirtualAccount, _of(Delivery.account_id, Delivery.tenant_id))
        .where(
            Delivery.tenant_id == VirtualAccount.tenant_id,
            Delivery.state == DeliveryState.FAILED,
            Delivery.settled_at >= now - RECENT,
            Delivery.address.is_not(None),
            *seen,
        )
        .group_by(VirtualAccount.id, VirtualAccount.name, Delivery.address)
        .order_by(func.max(Delivery.settled_at).desc())
        .limit(FEW)
    )
    for account_id, name, address, at, error, number in rows:
        yield Trouble(
            TroubleKind.NOTICE_FAILED,
            name,
            account_id,
            where=address or "",
            said=error or "",
            at=at,
            number=number,
        )


def _of(account_id: Any, tenant_id: Any) -> ColumnElement[bool]:
    same: ColumnElement[bool] = (VirtualAccount.id == account_id) & (
        VirtualAccount.tenant_id == tenant_id
    )
    return same
