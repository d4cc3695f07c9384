"""The plan: what will rotate when, and how long each destination needs for it at least."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from core.actors import Actor
from core.errors import InvalidInput
from models import AccountState, VirtualAccount
from services.engine.floors import Floor, floors
from services.runtime import Runtime
from services.scope import mine

PAGE = 1_000


@dataclass(frozen=True)
class Coming:
    """One rotation that will fall due."""

    account: str
    at: datetime


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
    runtime: Runtime,
    actor: Actor,
    *,
    days: int,
    shown: int = 50,
    page_size: int = PAGE,
    most: int | None = None,
) -> Iterator[Plan]:
    """Yields the plan as it grows, once for every page of accounts; the last one is whole.

    InvalidInput as soon as it has more than `most` rotations. Forbidden unless the actor may
    read every account of the tenant.
    """
    actor.demand_everywhere("virtual-account:read")
    now = runtime.now()
    with runtime.database.reading() as session:
        found = floors(session, runtime.opened, actor.tenant_id)
    plan = Plan(until=now + timedelta(days=days), floors=found)
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
            _add(plan, account, now, shown, most)
        plan.first = sorted(plan.first, key=lambda coming: coming.at)[:shown]
        yield plan
        if len(page) < page_size:
            return
        after = page[-1].name


def _add(plan: Plan, account: VirtualAccount, now: datetime, shown: int, most: int | None) -> None:
    for number, moment in enumerate(_moments(account, now, plan.until)):
        plan.total += 1
        if most is not None and plan.total > most:
            raise InvalidInput("days", f"there are more than {most:,} rotations: give fewer days")
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
