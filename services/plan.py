"""The plan: what will rotate when, and how long each destination needs for it at least."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from core.actors import Actor
from models import AccountState, Integration, Lane, Place, PlaceState, VirtualAccount
from services.runtime import Runtime
from services.scope import mine

PAGE = 1_000


@dataclass(frozen=True)
class Coming:
    """One rotation that will fall due."""

    account: str
    at: datetime


@dataclass(frozen=True)
class Floor:
    """How many copies a destination holds, and the least time to write them all once.

    Zero seconds: the destination has no published limit.
    """

    integration: str
    copies: int
    per_second: float | None
    seconds: float


@dataclass
class Plan:
    """The coming rotations, the first ones by name, all of them by day."""

    until: datetime
    total: int = 0
    by_day: Counter[date] = field(default_factory=Counter)
    first: list[Coming] = field(default_factory=list)
    floors: list[Floor] = field(default_factory=list)


def count_scheduled(runtime: Runtime, actor: Actor) -> int:
    """How many accounts rotate on schedule."""
    with runtime.database.reading() as session:
        return (
            session.scalar(
                select(func.count()).where(
                    VirtualAccount.tenant_id == actor.tenant_id,
                    VirtualAccount.next_rotation_at.is_not(None),
                )
            )
            or 0
        )


def make_plan(
    runtime: Runtime, actor: Actor, *, days: int, shown: int = 50, page_size: int = PAGE
) -> Iterator[Plan]:
    """Yields the plan as it grows, once for every page of accounts; the last one is whole."""
    now = runtime.now()
    plan = Plan(until=now + timedelta(days=days), floors=_floors(runtime, actor))
    after = ""
    while True:
        with runtime.database.reading() as session:
            page = session.scalars(
                mine(VirtualAccount, actor.tenant_id)
                .where(
                    VirtualAccount.name > after,
                    VirtualAccount.state == AccountState.ACTIVE,
                    VirtualAccount.due_at.is_not(None),
                )
                .order_by(VirtualAccount.name)
                .limit(page_size)
            ).all()
        for account in page:
            _add(plan, account, now, shown)
        plan.first = sorted(plan.first, key=lambda coming: coming.at)[:shown]
        yield plan
        if len(page) < page_size:
            return
        after = page[-1].name


def _add(plan: Plan, account: VirtualAccount, now: datetime, shown: int) -> None:
    for number, moment in enumerate(_moments(account, now, plan.until)):
        plan.total += 1
        plan.by_day[moment.date()] += 1
        if number < shown:
            plan.first.append(Coming(account.name, moment))


def _moments(account: VirtualAccount, now: datetime, until: datetime) -> Iterator[datetime]:
    """What is overdue is done once, now; then its lattice goes on, to before the account's end."""
    policy, due = account.policy, account.next_rotation_at
    if policy is None or due is None or account.is_expired(now):
        return
    if due < now:
        yield now
        due = policy.next_due(account.id, previous=due, now=now)
    for moment in policy.due_moments(account.id, due, until):
        if account.is_expired(moment):
            return
        yield moment


def _floors(runtime: Runtime, actor: Actor) -> list[Floor]:
    with runtime.database.reading() as session:
        rows = session.execute(
            select(Integration.fqn, Lane.per_second, Lane.cost, func.count(Place.id))
            .join(
                Lane,
                (Lane.integration_id == Integration.id) & (Lane.tenant_id == Integration.tenant_id),
            )
            .join(Place, (Place.lane_id == Lane.id) & (Place.tenant_id == Lane.tenant_id))
            .where(Integration.tenant_id == actor.tenant_id, Place.state == PlaceState.ACTIVE)
            .group_by(Integration.fqn, Lane.per_second, Lane.cost)
            .order_by(Integration.fqn)
        )
        return [
            Floor(fqn, copies, rate, copies * cost / rate if rate else 0.0)
            for fqn, rate, cost, copies in rows
        ]
