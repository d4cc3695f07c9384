"""How long the published limits need at least for all copies, each written once.

Integrations whose sends count against the same limit share one floor (law 11).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from core.errors import KeyturnError
from models import Integration, Lane, Place, PlaceState
from services.opened import Opened


@dataclass
class Floor:
    """One limit, and the copies that are written against it.

    Of the `copies`, `unwritten` are new to their store, where a first write can cost more
    `calls`. Without a published limit `per_second` is None and `seconds` is 0.
    """

    integrations: list[str] = field(default_factory=list)
    copies: int = 0
    unwritten: int = 0
    per_second: float | None = None
    calls: float = 0.0
    seconds: float = 0.0


def floors(
    session: Session, opened: Opened, tenant_id: UUID, *among: ColumnElement[bool]
) -> list[Floor]:
    """The floors of a tenant's copies, by integration; `among` narrows down which copies.

    Only the tenant's own copies are counted, so that others on the same limit make it longer.
    """
    found: dict[str, Floor] = {}
    for integration, lane, copies, unwritten in session.execute(_counted(tenant_id, among)):
        bucket = lane.quota_key if lane.per_second and lane.quota_key else str(lane.id)
        _add(found.setdefault(bucket, Floor()), opened, integration, lane, (copies, unwritten))
    return sorted(found.values(), key=lambda floor: floor.integrations)


def slowest(of: Iterable[Floor]) -> float:
    """How many seconds all of them take side by side."""
    return max((floor.seconds for floor in of), default=0.0)


def _counted(tenant_id: UUID, among: Iterable[ColumnElement[bool]]) -> Any:
    counts = (
        select(
            Place.lane_id,
            func.count().label("copies"),
            func.sum(case((Place.confirmed_revision == 0, 1), else_=0)).label("unwritten"),
        )
        .where(Place.tenant_id == tenant_id, Place.state == PlaceState.ACTIVE, *among)
        .group_by(Place.lane_id)
        .subquery()
    )
    return (
        select(Integration, Lane, counts.c.copies, counts.c.unwritten)
        .join(Lane, (Lane.id == counts.c.lane_id) & (Lane.tenant_id == tenant_id))
        .join(
            Integration,
            (Integration.id == Lane.integration_id) & (Integration.tenant_id == tenant_id),
        )
        .order_by(Integration.fqn)
    )


def _add(
    floor: Floor, opened: Opened, integration: Integration, lane: Lane, counted: tuple[int, int]
) -> None:
    copies, unwritten = counted
    calls = (copies - unwritten) * lane.cost + unwritten * _first_cost(opened, integration, lane)
    floor.integrations.append(integration.fqn)
    floor.copies += copies
    floor.unwritten += unwritten
    floor.calls += calls
    if lane.per_second:
        floor.per_second = min(floor.per_second or lane.per_second, lane.per_second)
        floor.seconds += calls / lane.per_second


def _first_cost(opened: Opened, integration: Integration, lane: Lane) -> float:
    """What a first write costs; as any other where the plugin cannot be asked."""
    try:
        cost = opened.plugin(integration).pace.first_cost
    except (KeyturnError, ValidationError):
        return lane.cost
    return lane.cost if cost is None else cost
