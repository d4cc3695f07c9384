"""Turning keys: what one batch of accounts writes, computed first and written in bulk.

Used by scheduled rotation, by hand and by creation alike. The caller holds the accounts'
rows locked. Nothing here decides when; see `rotation` for that.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session

from core.actors import Actor
from core.events import EventType
from core.ids import new_id
from core.policy import Farewell
from core.tokens import Token, TokenKind, mint
from models import (
    AccountState,
    Place,
    PlaceState,
    Priority,
    Target,
    Tenant,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services import bulk
from services.keys import Keyring
from services.outbox import Outbox

# How long before the end of a grace people are told; a quarter of it, a day at most.
_NOTICE_PART = 4
_LONGEST_NOTICE = timedelta(days=1)


class Cause(StrEnum):
    """Why a key is turned."""

    CREATED = "created"
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    REGENERATED = "regenerated"
    REVOKED = "revoked"


_PRIORITY = {
    Cause.CREATED: Priority.MANUAL,
    Cause.SCHEDULED: Priority.SCHEDULED,
    Cause.MANUAL: Priority.MANUAL,
    Cause.REGENERATED: Priority.MANUAL,
    Cause.REVOKED: Priority.BREAK_GLASS,
}


@dataclass(frozen=True)
class Predecessor:
    """The current token that a turn moves aside."""

    id: UUID
    expires_at: datetime | None


@dataclass
class Surroundings:
    """What belongs to a batch of accounts, read in one query each."""

    predecessors: dict[UUID, Predecessor] = field(default_factory=dict)
    places: dict[UUID, list[Place]] = field(default_factory=lambda: defaultdict(list))
    targets: dict[UUID, list[Target]] = field(default_factory=lambda: defaultdict(list))
    pick_up: dict[UUID, timedelta] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """One account's new token, ready to be written."""

    account: VirtualAccount
    cause: Cause
    actor: Actor
    token: Token
    token_id: UUID
    generation: int
    sealed: bytes
    predecessor: Predecessor | None
    farewell: Farewell | None
    pick_up: timedelta
    notice_at: datetime | None
    next_rotation_at: datetime | None


def read_surroundings(session: Session, accounts: Sequence[VirtualAccount]) -> Surroundings:
    """Everything that turning these accounts' keys touches."""
    around = Surroundings()
    keys = [(account.tenant_id, account.id) for account in accounts]
    for token in session.execute(
        select(TokenRow.account_id, TokenRow.id, TokenRow.expires_at).where(
            tuple_(TokenRow.tenant_id, TokenRow.account_id).in_(keys),
            TokenRow.state == TokenState.CURRENT,
        )
    ):
        around.predecessors[token.account_id] = Predecessor(token.id, token.expires_at)
    for place in session.scalars(
        select(Place).where(
            tuple_(Place.tenant_id, Place.account_id).in_(keys), Place.state == PlaceState.ACTIVE
        )
    ):
        around.places[place.account_id].append(place)
    for target in session.scalars(
        select(Target).where(tuple_(Target.tenant_id, Target.account_id).in_(keys))
    ):
        around.targets[target.account_id].append(target)
    tenants = {account.tenant_id for account in accounts}
    for tenant in session.execute(select(Tenant.id, Tenant.pick_up).where(Tenant.id.in_(tenants))):
        around.pick_up[tenant.id] = tenant.pick_up
    return around


def prepare(
    account: VirtualAccount,
    around: Surroundings,
    *,
    now: datetime,
    cause: Cause,
    actor: Actor,
    keyring: Keyring,
    grace: timedelta | None = None,
) -> Turn:
    """Mints and computes; writes nothing. `grace` overrides the policy's; 0 ends the old now."""
    token = mint(TokenKind.VIRTUAL_ACCOUNT)
    token_id = new_id()
    predecessor = around.predecessors.get(account.id)
    given = account.grace if grace is None else grace
    farewell = None
    if predecessor is not None:
        farewell = Farewell.at(
            now,
            grace=given,
            max_hold=account.max_hold,
            expires_at=predecessor.expires_at,
            held=bool(given) and any(place.required for place in around.places[account.id]),
        )
    return Turn(
        account=account,
        cause=cause,
        actor=actor,
        token=token,
        token_id=token_id,
        generation=1 if cause is Cause.CREATED else account.generation + 1,
        sealed=keyring.seal("tokens", account.tenant_id, token_id, token.reveal().encode()),
        predecessor=predecessor,
        farewell=farewell,
        pick_up=min(given, around.pick_up[account.tenant_id]),
        notice_at=_notice_at(farewell, given),
        next_rotation_at=_next_rotation(account, cause, now),
    )


def write(session: Session, turns: Sequence[Turn], around: Surroundings, outbox: Outbox) -> None:
    """The whole batch: predecessors, tokens, accounts, places, and what is told and sent."""
    now = outbox.now
    session.flush()
    bulk.update_each(session, TokenRow, [_aside(turn, now) for turn in turns if turn.predecessor])
    bulk.insert(session, TokenRow, [_current(turn, now) for turn in turns])
    bulk.update_each(session, VirtualAccount, [_turned(turn, now) for turn in turns])
    places = [place for turn in turns for place in around.places[turn.account.id]]
    for some in bulk.chunks(places, 1_000):
        session.execute(
            update(Place)
            .where(tuple_(Place.tenant_id, Place.id).in_([(p.tenant_id, p.id) for p in some]))
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
        facts=_facts(turn),
        targets=around.targets[account.id],
    )
    copy_facts = copy_metadata(
        account,
        generation=turn.generation,
        rotated_at=outbox.now,
        previous_valid_until=turn.farewell.grace_until if turn.farewell else None,
        next_rotation_at=turn.next_rotation_at,
    )
    for place in around.places[account.id]:
        outbox.put(
            event_id,
            place,
            revision=place.revision + 1,
            generation=turn.generation,
            facts=copy_facts,
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


def copy_metadata(
    account: VirtualAccount,
    *,
    generation: int,
    rotated_at: datetime,
    previous_valid_until: datetime | None,
    next_rotation_at: datetime | None,
) -> dict[str, Any]:
    """What a store keeps beside the token; fixed with the revision, so a retry's bytes agree."""
    return {
        "account": account.name,
        "generation": str(generation),
        "rotated-at": _written(rotated_at),
        "previous-valid-until": _written(previous_valid_until),
        "next-rotation": _written(next_rotation_at),
    }


def _facts(turn: Turn) -> dict[str, Any]:
    farewell = turn.farewell
    return {
        "account": turn.account.name,
        "generation": turn.generation,
        "cause": turn.cause.value,
        "by": turn.actor.name,
        "last_four": turn.token.last_four,
        "grace_until": _written(farewell.grace_until) if farewell else "",
        "hold_until": _written(farewell.hold_until) if farewell else "",
        "next_rotation_at": _written(turn.next_rotation_at),
    }


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
        "expires_at": turn.account.expires_at,
        "valid_until": turn.account.expires_at,
    }


def _turned(turn: Turn, now: datetime) -> Mapping[str, Any]:
    account = turn.account
    paused = account.paused_at is not None
    return {
        "tenant_id": account.tenant_id,
        "id": account.id,
        "state": AccountState.ACTIVE,
        "generation": turn.generation,
        "rotated_at": now,
        "next_rotation_at": turn.next_rotation_at,
        "due_at": None if paused else turn.next_rotation_at,
        "waiting_since": None,
        "rotation_failures": 0,
    }


def _next_rotation(account: VirtualAccount, cause: Cause, now: datetime) -> datetime | None:
    policy = account.policy
    if policy is None:
        return None
    if cause is Cause.SCHEDULED and account.next_rotation_at is not None:
        due = policy.next_due(account.id, previous=account.next_rotation_at, now=now)
    else:
        due = policy.first_due(account.id, reckoned_from=now, now=now)
    return None if account.expires_at is not None and due >= account.expires_at else due


def _notice_at(farewell: Farewell | None, grace: timedelta) -> datetime | None:
    if farewell is None:
        return None
    return farewell.grace_until - min(grace / _NOTICE_PART, _LONGEST_NOTICE)


def _written(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else ""


def turn_keys(
    session: Session,
    accounts: Iterable[VirtualAccount],
    outbox: Outbox,
    *,
    cause: Cause,
    actor: Actor,
    keyring: Keyring,
    grace: timedelta | None = None,
) -> list[Turn]:
    """Turns the keys of accounts whose rows the caller holds; used by every act by hand."""
    held = list(accounts)
    around = read_surroundings(session, held)
    turns = [
        prepare(
            account, around, now=outbox.now, cause=cause, actor=actor, keyring=keyring, grace=grace
        )
        for account in held
    ]
    write(session, turns, around, outbox)
    for account in held:
        session.expire(account)
    return turns
