"""Merging: which notices go as one message, and which they were when it is sent again.

A notice that is claimed gets a `digest_id`: that of the message it is a part of, or its own if it
goes alone. From then on exactly these rows are that message, whatever happens meanwhile, so that
its key means the same facts for ever. What comes later is for a later message.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from core.events import AT_ONCE, Severity
from core.ids import new_id
from models import OPEN, Action, Delivery, DeliveryState, Event, Lane
from services import bulk
from services.delivery.claimed import Claimed, selection


def merged(session: Session, lane: Lane, found: Iterable[Claimed], most: int) -> list[Claimed]:
    """These deliveries as messages of at most `most` notices, each the worst first.

    A notice brings along what is pending for the same recipient, due or not; a critical one
    brings only critical ones, so that nothing holds it up.
    """
    messages: list[Claimed] = []
    seen: set[object] = set()
    for row in found:
        if row.action is not Action.NOTICE:
            messages.append(row)
            continue
        alone = row.digest_id is None and (most == 1 or row.event_type in AT_ONCE)
        group: object = row.digest_id or (row.id if alone else (row.destination, _is_urgent(row)))
        if group in seen:
            continue
        seen.add(group)
        if alone or row.digest_id == row.id:
            rows = [row]
        elif row.digest_id is not None:
            rows = _begun(session, lane, row)
        else:
            rows = _waiting(session, lane, row, most)
        messages.append(_message(rows, row))
    return messages


def mark(session: Session, messages: Sequence[Claimed]) -> None:
    """Writes down which rows are one message; those of messages that are sent again know."""
    begun = [message for message in messages if message.is_new_digest]
    alone = [message.id for message in begun if not message.others]
    if alone:
        session.execute(
            update(Delivery)
            .where(bulk.among(session, Delivery.id, alone))
            .values(digest_id=Delivery.id)
            .execution_options(synchronize_session=False)
        )
    for message in begun:
        if message.others:
            session.execute(
                update(Delivery)
                .where(bulk.among(session, Delivery.id, [row.id for row in message.all]))
                .values(digest_id=message.digest_id)
                .execution_options(synchronize_session=False)
            )


def _message(rows: Sequence[Claimed], found: Claimed) -> Claimed:
    first, *others = sorted(rows, key=_rank)
    is_new = found.digest_id is None
    digest_id: UUID | None = found.digest_id
    if is_new:
        digest_id = new_id() if others else first.id
    return first._replace(others=tuple(others), digest_id=digest_id, is_new_digest=is_new)


def _rank(row: Claimed) -> tuple[Any, ...]:
    """The worst first, each kind together, the oldest of it first."""
    name = str(row.facts.get("account", ""))
    return -row.severity, row.event_type.value, row.event_at, name, row.id


def _begun(session: Session, lane: Lane, row: Claimed) -> list[Claimed]:
    """All of a message that was claimed before."""
    query = selection(lane, Delivery.digest_id == row.digest_id, Delivery.state.in_(OPEN))
    query = query.with_for_update(key_share=True, of=Delivery)  # none may be missing
    return [row.alike(columns) for columns in session.execute(query)]


def _waiting(session: Session, lane: Lane, row: Claimed, most: int) -> list[Claimed]:
    """What is pending for the same recipient, this one included."""
    urgent = Event.severity >= Severity.CRITICAL
    query = (
        selection(
            lane,
            Delivery.destination == row.destination,
            Delivery.state == DeliveryState.PENDING,
            Delivery.address.is_not(None),  # as the index has it
            Delivery.digest_id.is_(None),
            Delivery.id != row.id,
            urgent if _is_urgent(row) else ~urgent,
            Event.type.not_in(AT_ONCE),
        )
        .order_by(Event.severity.desc(), Delivery.due_at)
        .limit(most - 1)
    )
    others = [row.alike(columns) for columns in session.execute(query)]
    return [row, *(one for one in others if not one.is_past(row.send_at))]


def _is_urgent(row: Claimed) -> bool:
    return row.severity >= Severity.CRITICAL
