"""Deliveries as people look back at them: all of them, those that failed, those that wait.

Each way has an index of its own: all of them are found by their events, what failed by when it
did, what waits lane by lane in the order in which it is sent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, literal, select, tuple_
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import NotFound
from core.events import EventType
from core.roles import Resource
from models import (
    Attempt,
    Delivery,
    DeliveryState,
    Event,
    Integration,
    Lane,
    VirtualAccount,
)
from services.accounts.account_views import resource_of
from services.delivery.attempts import attempts_of
from services.runtime import Runtime
from services.scope import find, mine
from services.watching.event_log import accounts_named, of_visible, sees_all
from services.watching.looking_back import Mark, Page, edge_of, page_of

_PARTS = 4  # an event may have several deliveries


class Shown(StrEnum):
    """Which deliveries."""

    ALL = ""
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True)
class WantedDeliveries:
    """`account` is a name or an id, `integration` and `event` are ids."""

    shown: Shown = Shown.ALL
    account: str = ""
    integration: UUID | None = None
    event: UUID | None = None


@dataclass(frozen=True)
class DeliveryLine:
    """A delivery with the names of what it is about and where it goes."""

    delivery: Delivery
    event: EventType
    integration_id: UUID
    integration: str
    account: str | None


@dataclass(frozen=True)
class DeliveryStory:
    """One delivery with its failed attempts, the newest first.

    `may_roll`: the reader may send it again, if it needs that.
    """

    line: DeliveryLine
    attempts: Sequence[Attempt]
    may_roll: bool


def list_deliveries(
    runtime: Runtime, actor: Actor, wanted: WantedDeliveries, *, before: Mark | None, limit: int
) -> Page[DeliveryLine]:
    """A page behind `before`, newest first; of those that wait, what is sent next first."""
    with runtime.database.reading() as session:
        if wanted.shown is Shown.WAITING:
            return _waiting(session, actor, wanted, before, limit)
        way = _by_event if _is_by_event(wanted) else _by_moment
        return way(session, actor, wanted, before, limit)


def delivery_story(runtime: Runtime, actor: Actor, delivery_id: str) -> DeliveryStory:
    """One delivery, for whoever may read its account; or, if it is about none, the stores."""
    with runtime.database.reading() as session:
        row = find(session, Delivery, actor.tenant_id, delivery_id, "delivery")
        resource = _resource(session, row)
        if resource is None:
            actor.demand_everywhere("provider-integration:read")
            may_roll = actor.permits.allow_everywhere("provider-integration:manage")
        else:
            actor.demand("virtual-account:read", resource)
            may_roll = actor.may("virtual-account:update", resource)
        (line,) = _lines(session, actor.tenant_id, [row.id])
        return DeliveryStory(line, attempts_of(session, row), may_roll)


def _resource(session: Session, row: Delivery) -> Resource | None:
    if row.account_id is None:
        return None
    account = session.get(VirtualAccount, (row.account_id, row.tenant_id))
    if account is None:
        raise NotFound("delivery", row.id)
    return resource_of(session, account)


def _is_by_event(wanted: WantedDeliveries) -> bool:
    return wanted.shown is Shown.ALL and not wanted.account


def _by_event(
    session: Session, actor: Actor, wanted: WantedDeliveries, before: Mark | None, limit: int
) -> Page[DeliveryLine]:
    """A delivery is as old as its event, whose moments have an index."""
    scope: list[Any] = [Event.tenant_id == actor.tenant_id]
    if wanted.event is not None:
        scope.append(Event.id == wanted.event)
    filters = list(_filters(session, actor, wanted))
    if before is not None:
        scope.append(Event.at <= before.at)
        filters.append(before.older(Event.at, Delivery.id))
    edge = edge_of(session, Event.at, scope, parts=_PARTS) if wanted.event is None else None
    if edge is not None:
        scope.append(Event.at >= edge)
    of_event = and_(Delivery.event_id == Event.id, Delivery.tenant_id == Event.tenant_id)
    rows = session.execute(
        select(Delivery.id, Event.at)
        .join(Event, of_event)
        .where(*scope, *filters)
        .order_by(Event.at.desc(), Delivery.id.desc())
        .limit(limit + 1)
    ).all()
    return _page(session, actor, [(row.id, row.at) for row in rows], limit, edge)


def _by_moment(
    session: Session, actor: Actor, wanted: WantedDeliveries, before: Mark | None, limit: int
) -> Page[DeliveryLine]:
    """An account's by when they were made; what failed by when it did."""
    scope: list[Any] = [Delivery.tenant_id == actor.tenant_id]
    moment: Any = Delivery.created_at
    if wanted.account:
        named = accounts_named(session, actor.tenant_id, wanted.account)
        scope.append(Delivery.account_id.in_(named))
    else:
        moment = Delivery.settled_at
        scope.append(Delivery.state == DeliveryState.FAILED)
    if before is not None:
        scope.append(before.older(moment, Delivery.id))
    filters = list(_filters(session, actor, wanted))
    if wanted.account and wanted.shown is Shown.FAILED:
        filters.append(Delivery.state == DeliveryState.FAILED)
    edge = edge_of(session, moment, scope) if filters else None
    if edge is not None:
        scope.append(moment >= edge)
    rows = session.execute(
        select(Delivery.id, moment.label("at"))
        .where(*scope, *filters)
        .order_by(moment.desc(), Delivery.id.desc())
        .limit(limit + 1)
    ).all()
    return _page(session, actor, [(row.id, row.at) for row in rows], limit, edge)


def _waiting(
    session: Session, actor: Actor, wanted: WantedDeliveries, before: Mark | None, limit: int
) -> Page[DeliveryLine]:
    """Lane by lane, in the order in which they are sent. The mark is the last one's own id."""
    lanes = select(Lane.id).where(Lane.tenant_id == actor.tenant_id)
    if wanted.integration is not None:
        lanes = lanes.where(Lane.integration_id == wanted.integration)
    order = (Delivery.lane_id, Delivery.priority, Delivery.due_at, Delivery.id)
    scope: list[Any] = [Delivery.state == DeliveryState.PENDING, Delivery.lane_id.in_(lanes)]
    if wanted.account:
        named = accounts_named(session, actor.tenant_id, wanted.account)
        scope.append(Delivery.account_id.in_(named))
    if not sees_all(actor):
        scope.append(of_visible(actor, Delivery.account_id))
    last = session.get(Delivery, (before.id, actor.tenant_id)) if before else None
    if last is not None:
        after = (last.lane_id, last.priority, last.due_at, last.id)
        places = (literal(value, one.type) for value, one in zip(after, order, strict=True))
        scope.append(tuple_(*order) > tuple_(*places))
    ids = session.scalars(select(Delivery.id).where(*scope).order_by(*order).limit(limit + 1)).all()
    lines = _lines(session, actor.tenant_id, ids[:limit])
    if len(ids) <= limit:
        return Page(lines)
    return Page(lines, Mark(lines[-1].delivery.created_at, lines[-1].delivery.id))


def _filters(
    session: Session, actor: Actor, wanted: WantedDeliveries
) -> Iterator[ColumnElement[bool]]:
    """What no index narrows."""
    if wanted.integration is not None:
        lanes = session.scalars(
            select(Lane.id).where(
                Lane.tenant_id == actor.tenant_id, Lane.integration_id == wanted.integration
            )
        ).all()
        yield Delivery.lane_id.in_(lanes)
    if not sees_all(actor):
        yield of_visible(actor, Delivery.account_id)


def _page(
    session: Session,
    actor: Actor,
    found: Sequence[tuple[UUID, datetime]],
    limit: int,
    edge: datetime | None,
) -> Page[DeliveryLine]:
    shown = found[:limit]
    last = Mark(shown[-1][1], shown[-1][0]) if shown else None
    page = page_of(found, limit, last, edge)
    lines = _lines(session, actor.tenant_id, [row_id for row_id, _ in page.items])
    return Page(lines, page.older, page.is_partial)


def _lines(session: Session, tenant_id: UUID, ids: Sequence[UUID]) -> list[DeliveryLine]:
    """These deliveries in this order, in one query."""
    rows = session.execute(
        mine(Delivery, tenant_id)
        .add_columns(Event.type, Integration.id, Integration.name, VirtualAccount.name)
        .join(Event, _same(Event, Delivery.event_id))
        .join(Lane, _same(Lane, Delivery.lane_id))
        .join(
            Integration,
            and_(Integration.id == Lane.integration_id, Integration.tenant_id == tenant_id),
        )
        .outerjoin(VirtualAccount, _same(VirtualAccount, Delivery.account_id))
        .where(Delivery.id.in_(ids))
    )
    found = {row[0].id: DeliveryLine(*row) for row in rows}
    return [found[one] for one in ids]


def _same(model: Any, reference: Any) -> ColumnElement[bool]:
    return and_(model.id == reference, model.tenant_id == Delivery.tenant_id)
