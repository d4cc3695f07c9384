"""Events as people look back at them, newest first, within what they may read."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.events import EventType, Severity
from models import Event, VirtualAccount
from services.accounts.account_views import visible
from services.runtime import Runtime
from services.watching.looking_back import Mark, Page, edge_of, page_of

_SHOWN = frozenset(
    {
        *("account", "address", "by", "cause", "done", "error", "expires_at", "found"),
        *("generation", "generations", "grace_until", "hold_until", "integration", "kept"),
        *("lane", "next_rotation_at", "path", "reason", "rotated_at", "valid_until"),
    }
)
_NAMESAKES = 20  # accounts that had the name, one after the other


@dataclass(frozen=True)
class WantedEvents:
    """Which events. An empty filter lets every one through; `account` is a name or an id."""

    type: EventType | None = None
    severity: Severity = Severity.INFO
    account: str = ""
    since: datetime | None = None
    until: datetime | None = None


def list_events(
    runtime: Runtime, actor: Actor, wanted: WantedEvents, *, before: Mark | None, limit: int
) -> Page[Event]:
    """A page behind `before`; a fixed number of queries, each within bounds."""
    with runtime.database.reading() as session:
        scope = list(_scope(session, actor, wanted, before))
        filters = list(_filters(actor, wanted))
        edge = edge_of(session, Event.at, scope) if filters else None
        if edge is not None:
            scope.append(Event.at >= edge)
        found = session.scalars(
            select(Event)
            .where(*scope, *filters)
            .order_by(Event.at.desc(), Event.id.desc())
            .limit(limit + 1)
        ).all()
        last = found[:limit][-1] if found else None
        return page_of(found, limit, Mark(last.at, last.id) if last else None, edge)


def shown_facts(event: Event) -> dict[str, Any]:
    """What was known then, as far as it is made for people; other facts are sealed, or ours."""
    return {name: value for name, value in event.facts.items() if name in _SHOWN}


def accounts_named(session: Session, tenant_id: UUID, name: str) -> Sequence[UUID]:
    """The accounts of this name or id, deleted ones too, whose events are kept."""
    ways: list[ColumnElement[bool]] = [VirtualAccount.name == name]
    with suppress(ValueError):
        ways.append(VirtualAccount.id == UUID(name))
    return session.scalars(
        select(VirtualAccount.id)
        .where(VirtualAccount.tenant_id == tenant_id, or_(*ways))
        .order_by(VirtualAccount.created_at.desc())
        .limit(_NAMESAKES)
    ).all()


def of_visible(actor: Actor, account_id: Any) -> ColumnElement[bool]:
    """What is about accounts that the actor may read, or about none and the actor reads stores."""
    everything = actor.permits.allow_everywhere("virtual-account:read")
    no_account = (
        account_id.is_(None)
        if actor.permits.allow_everywhere("provider-integration:read")
        else false()
    )
    if everything:
        return or_(account_id.is_not(None), no_account)
    readable = select(VirtualAccount.id).where(
        VirtualAccount.tenant_id == actor.tenant_id, visible(actor)
    )
    return or_(account_id.in_(readable), no_account)


def sees_all(actor: Actor) -> bool:
    """Whether nothing is hidden from the actor."""
    reads = actor.permits.allow_everywhere
    return reads("virtual-account:read") and reads("provider-integration:read")


def _scope(
    session: Session, actor: Actor, wanted: WantedEvents, before: Mark | None
) -> Iterator[ColumnElement[bool]]:
    """What an index narrows."""
    yield Event.tenant_id == actor.tenant_id
    if wanted.account:
        yield Event.account_id.in_(accounts_named(session, actor.tenant_id, wanted.account))
    if wanted.severity > Severity.INFO:
        yield Event.severity > 0
    if wanted.since is not None:
        yield Event.at >= wanted.since
    if wanted.until is not None:
        yield Event.at < wanted.until
    if before is not None:
        yield before.older(Event.at, Event.id)


def _filters(actor: Actor, wanted: WantedEvents) -> Iterator[ColumnElement[bool]]:
    """What none does."""
    if wanted.type is not None:
        yield Event.type == wanted.type
    if wanted.severity > Severity.WARNING:
        yield Event.severity >= int(wanted.severity)
    if not sees_all(actor):
        yield of_visible(actor, Event.account_id)
