"""A tenant's limits for rotation."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import InvalidInput
from models import Tenant
from services.outbox import Outbox
from services.runtime import Runtime


@dataclass(frozen=True)
class Limits:
    """What a tenant allows; the defaults are the reference's."""

    smallest_interval: timedelta = timedelta(days=30)
    smallest_grace: timedelta = timedelta(days=1)
    max_hold: timedelta = timedelta(days=7)
    pick_up: timedelta = timedelta(minutes=10)


def set_limits(runtime: Runtime, actor: Actor, **changes: timedelta | None) -> Limits:
    """Changes the limits that are given; accounts keep the policies they have."""
    actor.demand_everywhere("settings:update")
    given = {name: value for name, value in changes.items() if value is not None}
    for name in ("smallest_interval", "smallest_grace"):
        if given.get(name) == timedelta(0):
            raise InvalidInput(name, "give more than nothing")

    def use_case(session: Session, outbox: Outbox) -> Limits:
        tenant = session.get_one(Tenant, actor.tenant_id, with_for_update=True)
        before = _limits(tenant)
        for name, value in given.items():
            setattr(tenant, name, value)
        if _limits(tenant) != before:
            outbox.audit(
                actor,
                "tenant.limits-changed",
                subject_type="tenant",
                subject_id=tenant.id,
                subject_name=tenant.name,
                detail=_written(given),
            )
        return _limits(tenant)

    return runtime.change(use_case)


def _limits(tenant: Tenant) -> Limits:
    return Limits(
        smallest_interval=tenant.smallest_interval,
        smallest_grace=tenant.smallest_grace,
        max_hold=tenant.max_hold,
        pick_up=tenant.pick_up,
    )


def _written(changes: dict[str, timedelta]) -> dict[str, Any]:
    return {name: str(value) for name, value in changes.items()}
