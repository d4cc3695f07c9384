"""The rows of turned keys: written in bulk, in the commit that turns them (law 3)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from core.events import SEVERITY, EventType, Severity
from models import AccountState, Place, Priority, TokenRow, TokenState, VirtualAccount
from models.accounts import next_reminder_of, turn_by
from services import bulk, changes
from services.engine.minting import Cause, Turn
from services.engine.surroundings import Surroundings, Turnable
from services.notices.acknowledge_links import facts_of
from services.outbox import Outbox, written

_PRIORITY = {
    Cause.CREATED: Priority.MANUAL,
    Cause.SCHEDULED: Priority.SCHEDULED,
    Cause.MANUAL: Priority.MANUAL,
    Cause.REGENERATED: Priority.MANUAL,
    Cause.REVOKED: Priority.BREAK_GLASS,
}


def write(session: Session, turns: Sequence[Turn], around: Surroundings, outbox: Outbox) -> None:
    """The whole batch: predecessors, tokens, accounts, places, and what is told and sent."""
    now = outbox.now
    session.flush()
    aside = [_aside(turn, now) for turn in turns if turn.predecessor]
    bulk.update_each(session, TokenRow, aside)
    changes.record(session, _cut_off(session, aside))
    bulk.insert(session, TokenRow, [_current(turn, now) for turn in turns])
    bulk.update_each(session, VirtualAccount, [_turned(turn, now) for turn in turns])
    places = [place for turn in turns for place in around.places[turn.account.id]]
    for some in bulk.chunks(places, 1_000):
        session.execute(
            update(Place)
            .where(bulk.among(session, Place.id, [place.id for place in some]))
            .values(revision=Place.revision + 1)
            .execution_options(synchronize_session=False)
        )
    for turn in turns:
        _announce(turn, around, outbox)


def _announce(turn: Turn, around: Surroundings, outbox: Outbox) -> None:
    account = turn.account
    created = turn.cause is Cause.CREATED
    event_id = outbox.tell(
        account.tenant_id,
        EventType.ACCOUNT_CREATED if created else EventType.TOKEN_ROTATED,
        account_id=account.id,
        facts=_facts(turn, outbox.now),
        targets=around.targets[account.id],
        ends=_problem_before(account),
    )
    for place in around.places[account.id]:
        outbox.put(
            event_id,
            place,
            revision=place.revision + 1,
            generation=turn.generation,
            priority=_PRIORITY[turn.cause],
        )
    if not created:
        outbox.audit(
            turn.actor,
            f"token.{turn.cause}" if turn.cause is not Cause.SCHEDULED else "token.rotated",
            subject_type="virtual-account",
            subject_id=account.id,
            subject_name=account.name,
            detail={"generation": turn.generation},
        )


def _problem_before(account: Turnable) -> Severity | None:
    """How bad it was what people heard of a rotation that did not happen, until now."""
    if account.rotation_failures:
        return SEVERITY[EventType.ROTATION_FAILED]
    return SEVERITY[EventType.ROTATION_WAITING] if account.waiting_since else None


def _cut_off(session: Session, aside: Sequence[Mapping[str, Any]]) -> Iterator[changes.Named]:
    """The predecessors whose end verifiers could not see coming."""
    for row in aside:
        if changes.ends_soon(session, row["valid_until"]):
            yield row["tenant_id"], row["id"]


def _facts(turn: Turn, now: datetime) -> dict[str, Any]:
    farewell = turn.farewell
    return {
        "account": turn.account.name,
        "generation": turn.generation,
        "cause": turn.cause.value,
        "by": turn.actor.name,
        "last_four": turn.token.last_four,
        "rotated_at": written(now),
        "grace_until": written(farewell.grace_until) if farewell else "",
        "hold_until": written(farewell.hold_until) if farewell else "",
        "next_rotation_at": written(turn.next_rotation_at),
        "expires_at": written(turn.expires_at),
        **_link(turn),
    }


def _link(turn: Turn) -> dict[str, str]:
    if turn.predecessor is None or turn.link is None:
        return {}
    return facts_of(turn.predecessor.id, turn.link.sealed)


def _aside(turn: Turn, now: datetime) -> Mapping[str, Any]:
    assert turn.predecessor is not None
    assert turn.farewell is not None
    farewell = turn.farewell
    ended = farewell.valid_until <= now
    return {
        "tenant_id": turn.account.tenant_id,
        "id": turn.predecessor.id,
        "state": TokenState.REVOKED if ended else TokenState.GRACE,
        "sealed": None,
        "grace_until": farewell.grace_until,
        "hold_until": farewell.hold_until,
        "valid_until": farewell.valid_until,
        "pick_up": turn.pick_up,
        "notice_at": None if ended else turn.notice_at,
        "ended_at": now if ended else None,
        "link_hash": turn.link.hash if turn.link else None,
        "link_sealed": turn.link.sealed if turn.link else None,
    }


def _current(turn: Turn, now: datetime) -> Mapping[str, Any]:
    return {
        "tenant_id": turn.account.tenant_id,
        "id": turn.token_id,
        "account_id": turn.account.id,
        "generation": turn.generation,
        "state": TokenState.CURRENT,
        "hash": turn.token.hash,
        "sealed": turn.sealed,
        "last_four": turn.token.last_four,
        "created_at": now,
        "expires_at": turn.expires_at,
        "valid_until": turn.expires_at,
        "signing_key_id": turn.signing_key_id,
    }


def _turned(turn: Turn, now: datetime) -> Mapping[str, Any]:
    account = turn.account
    signed = turn.signing_key_id is not None
    last = turn_by(account, turn.expires_at) if signed else None
    turns_at = turn.next_rotation_at if account.paused_at is None else last
    return {
        "tenant_id": account.tenant_id,
        "id": account.id,
        "state": AccountState.ACTIVE,
        "generation": turn.generation,
        "rotated_at": now,
        "next_rotation_at": turn.next_rotation_at,
        "due_at": turns_at,
        "remind_at": next_reminder_of(account, turns_at, now),
        "jwt_expires_at": turn.expires_at if signed else None,
        "waiting_since": None,
        "rotation_failures": 0,
    }
