"""How many rotations each of the coming days will bring, for any number of accounts.

Accounts that turn alike are counted together, by the hour of their next rotation, from an index
that holds all it takes; their lattices are then laid over the days by arithmetic.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from core.actors import Actor
from core.policy import Policy
from models import VirtualAccount
from models.types import Instant
from services.accounts.account_views import visible
from services.runtime import Runtime

DAYS = 90

_DAY = timedelta(days=1)
_HOUR = 3_600_000_000  # microseconds, as SQLite keeps moments
_MOST_GROUPS = 20_000
_MOST_FIRINGS = 2_000  # of one schedule; a finer one is told as so many
_NOBODY = UUID(int=0)


@dataclass(frozen=True)
class _Alike:
    """Accounts with one rhythm whose next rotations fall into the same hour."""

    first: datetime
    interval: timedelta | None
    schedule: str | None
    timezone: str
    ends: datetime | None
    count: int


def calendar(runtime: Runtime, actor: Actor, days: int = DAYS) -> dict[date, int]:
    """The rotations of each day from today on, UTC, as the accounts' policies stand now.

    What is overdue counts for today. Those of a paused account are not counted.
    """
    now = runtime.now()
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = start + days * _DAY
    found = Counter({(start + n * _DAY).date(): 0 for n in range(days)})
    with runtime.database.reading() as session:
        groups = list(_groups(session, actor, end))
    for alike in groups:
        for day, times in _times(alike, start, end):
            found[day] += times * alike.count
    return dict(sorted(found.items()))


def _groups(session: Session, actor: Actor, end: datetime) -> Iterator[_Alike]:
    next_ = VirtualAccount.next_rotation_at
    hour: Any
    if session.get_bind().dialect.name == "sqlite":
        hour = type_coerce(type_coerce(next_, BigInteger) // _HOUR * _HOUR, Instant)
    else:
        hour = func.date_trunc("hour", next_, type_=Instant)
    rhythm = (
        hour,
        VirtualAccount.rotation_interval,
        VirtualAccount.rotation_schedule,
        VirtualAccount.timezone,
        VirtualAccount.expires_at,
    )
    rows = session.execute(
        select(*rhythm, func.count())
        .where(
            VirtualAccount.tenant_id == actor.tenant_id,
            VirtualAccount.due_at.is_not(None),
            next_ < end,
            visible(actor),
        )
        .group_by(*rhythm)
        .limit(_MOST_GROUPS)
    )
    return (_Alike(*row) for row in rows)


def _times(alike: _Alike, start: datetime, end: datetime) -> Iterator[tuple[date, int]]:
    """How often on which day each of these accounts will turn."""
    end = min(end, alike.ends or end)
    first = alike.first
    if first < start:
        yield start.date(), 1
    if alike.interval is None:
        yield from _by_schedule(alike, first, start, end)
        return
    if first < start:
        first += ((start - first) // alike.interval + 1) * alike.interval
    if alike.interval >= _DAY:
        while first < end:
            yield first.date(), 1
            first += alike.interval
        return
    day = start
    while day < end:
        until = min(day + _DAY, end)
        times = _points(first, alike.interval, until) - _points(first, alike.interval, day)
        if times:
            yield day.date(), times
        day += _DAY


def _points(first: datetime, interval: timedelta, until: datetime) -> int:
    """How many moments of the lattice lie before `until`."""
    return max(-((first - until) // interval), 0)


def _by_schedule(
    alike: _Alike, first: datetime, start: datetime, end: datetime
) -> Iterator[tuple[date, int]]:
    if alike.schedule is None:  # a token that is turned once, before it ends
        if first >= start:
            yield first.date(), 1
        return
    for day, times in _firings(alike.schedule, alike.timezone, max(first, start), DAYS):
        if day < end.date():
            yield day, times


@lru_cache(512)
def _firings(schedule: str, timezone: str, first: datetime, days: int) -> list[tuple[date, int]]:
    """On which days a schedule fires, and how often, from its first firing on."""
    policy = Policy(grace=timedelta(0), max_hold=timedelta(0), schedule=schedule, timezone=timezone)
    before = first.astimezone(UTC) - timedelta(microseconds=1)
    moments = policy.due_moments(
        _NOBODY, policy.next_due(_NOBODY, previous=before, now=before), before + days * _DAY
    )
    return list(Counter(one.date() for one in islice(moments, _MOST_FIRINGS)).items())
