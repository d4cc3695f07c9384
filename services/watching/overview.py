"""How a tenant stands: what rotated today, what is next, what is wrong, who uses old tokens.

A fixed number of queries, each answered by an index; what is counted is counted up to a limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.events import EventType
from models import AccountState, Event, TokenRow, TokenState, TokenUse, VirtualAccount
from services.accounts.account_views import visible
from services.runtime import Runtime
from services.watching.troubles import Trouble, troubles_of

FEW = 8
COUNTED = 10_000  # more is told as "more than"
RECENT = timedelta(days=1)
_LATE = 5_000  # of the newest late uses


@dataclass(frozen=True)
class Counted:
    """How many there are; `is_more`: at least so many."""

    number: int = 0
    is_more: bool = False


@dataclass(frozen=True)
class Rotated:
    """A rotation that has happened."""

    account_id: UUID
    name: str
    at: datetime
    generation: int
    cause: str


@dataclass(frozen=True)
class Due:
    """A rotation to come."""

    account_id: UUID
    name: str
    at: datetime


@dataclass(frozen=True)
class Straggling:
    """An old token that somebody went on using after its successor was there."""

    account_id: UUID
    name: str
    generation: int
    used_at: datetime
    until: datetime | None
    count: int


@dataclass(frozen=True)
class Overview:
    """What somebody sees first; all of it within what they may read."""

    rotated: Counted = field(default_factory=Counted)
    due: Counted = field(default_factory=Counted)
    last: Sequence[Rotated] = ()
    next: Sequence[Due] = ()
    troubles: Sequence[Trouble] = ()
    stragglers: Sequence[Straggling] = ()


def overview(runtime: Runtime, actor: Actor) -> Overview:
    """The tenant at this moment; days are UTC's."""
    now = runtime.now()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with runtime.database.reading() as session:
        return Overview(
            rotated=_count(session, _rotations(actor).where(Event.at >= today)),
            due=_count(session, _due(actor).where(VirtualAccount.next_rotation_at < now + RECENT)),
            last=_last(session, actor),
            next=_next(session, actor),
            troubles=troubles_of(session, actor, now),
            stragglers=_stragglers(session, actor, now),
        )


def _count(session: Session, rows: Select[UUID]) -> Counted:
    some = rows.limit(COUNTED + 1).subquery()
    number = session.scalar(select(func.count()).select_from(some)) or 0
    return Counted(min(number, COUNTED), number > COUNTED)


def _rotations(actor: Actor) -> Select[UUID]:
    """Of whoever may read everything the accounts need not be looked at."""
    found = select(Event.id).where(
        Event.tenant_id == actor.tenant_id, Event.type == EventType.TOKEN_ROTATED
    )
    if actor.permits.allow_everywhere("virtual-account:read"):
        return found
    return _with_accounts(found).where(visible(actor))


def _with_accounts(found: Select[UUID]) -> Select[UUID]:
    return found.join(
        VirtualAccount,
        (VirtualAccount.id == Event.account_id) & (VirtualAccount.tenant_id == Event.tenant_id),
    )


def _last(session: Session, actor: Actor) -> list[Rotated]:
    newest = _rotations(actor).order_by(Event.at.desc()).limit(FEW)
    rows = session.execute(
        select(Event.account_id, VirtualAccount.name, Event.at, Event.facts)
        .join(
            VirtualAccount,
            (VirtualAccount.id == Event.account_id) & (VirtualAccount.tenant_id == Event.tenant_id),
        )
        .where(Event.tenant_id == actor.tenant_id, Event.id.in_(newest))
        .order_by(Event.at.desc())
    )
    return [
        Rotated(account_id, name, at, facts.get("generation", 0), facts.get("cause", ""))
        for account_id, name, at, facts in rows
    ]


def _due(actor: Actor) -> Select[UUID]:
    return select(VirtualAccount.id).where(
        VirtualAccount.tenant_id == actor.tenant_id,
        VirtualAccount.due_at.is_not(None),
        VirtualAccount.next_rotation_at.is_not(None),
        visible(actor),
    )


def _next(session: Session, actor: Actor) -> list[Due]:
    rows = session.execute(
        _due(actor)
        .with_only_columns(VirtualAccount.id, VirtualAccount.name, VirtualAccount.next_rotation_at)
        .order_by(VirtualAccount.next_rotation_at)
        .limit(FEW)
    )
    return [Due(account_id, name, at) for account_id, name, at in rows if at]


def _stragglers(session: Session, actor: Actor, now: datetime) -> list[Straggling]:
    """Of the newest late uses, those of tokens that still work."""
    late = (
        select(TokenUse.token_id, TokenUse.last_used_at, TokenUse.count)
        .where(TokenUse.is_late, TokenUse.last_used_at >= now - RECENT)
        .order_by(TokenUse.last_used_at.desc())
        .limit(_LATE)
        .subquery()
    )
    used_at = func.max(late.c.last_used_at)
    rows = session.execute(
        select(
            VirtualAccount.id,
            VirtualAccount.name,
            TokenRow.generation,
            used_at,
            TokenRow.valid_until,
            func.sum(late.c.count),
        )
        .join(TokenRow, TokenRow.id == late.c.token_id)
        .join(
            VirtualAccount,
            (VirtualAccount.id == TokenRow.account_id)
            & (VirtualAccount.tenant_id == TokenRow.tenant_id),
        )
        .where(
            TokenRow.tenant_id == actor.tenant_id,
            TokenRow.state == TokenState.GRACE,
            TokenRow.valid_until > now,
            VirtualAccount.state != AccountState.DELETED,
            visible(actor),
        )
        .group_by(VirtualAccount.id, VirtualAccount.name, TokenRow.generation, TokenRow.valid_until)
        .order_by(TokenRow.valid_until)
        .limit(FEW)
    )
    return [
        Straggling(account_id, name, generation, at, until, int(count))
        for account_id, name, generation, at, until, count in rows
    ]
