"""Minting: one account's next token and everything that follows from it. Writes nothing."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from core.actors import Actor
from core.ids import new_id
from core.policy import Farewell
from core.tokens import Token, TokenKind, mint
from models import TokenType
from services.engine.jwt_minting import end_of_jwt, sign_token
from services.engine.surroundings import Predecessor, Surroundings, Turnable
from services.keys import Keyring
from services.notices.acknowledge_links import Link, new_link

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


class Turn(NamedTuple):
    """One account's new token, ready to be written."""

    account: Turnable
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
    link: Link | None
    expires_at: datetime | None
    signing_key_id: UUID | None


def prepare(
    account: Turnable,
    around: Surroundings,
    *,
    now: datetime,
    cause: Cause,
    actor: Actor,
    keyring: Keyring,
    grace: timedelta | None = None,
) -> Turn:
    """Mints and computes; writes nothing. `grace` overrides the policy's; 0 ends the old now."""
    token_id = new_id()
    generation = 1 if cause is Cause.CREATED else account.generation + 1
    next_rotation_at = _next_rotation(account, cause, now)
    expires_at, signing_key_id = account.expires_at, None
    if account.token_type is TokenType.JWT:
        expires_at = end_of_jwt(account, next_rotation_at)
        token, signing_key_id = sign_token(
            account, around, token_id, generation=generation, now=now, expires_at=expires_at
        )
    else:
        token = mint(TokenKind.VIRTUAL_ACCOUNT)
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
        generation=generation,
        sealed=keyring.seal("tokens", account.tenant_id, token_id, token.reveal().encode()),
        predecessor=predecessor,
        farewell=farewell,
        pick_up=min(given, around.pick_up[account.tenant_id]),
        notice_at=notice_before_end(farewell, given) if farewell else None,
        next_rotation_at=next_rotation_at,
        expires_at=expires_at,
        signing_key_id=signing_key_id,
        link=_link(account, around, keyring) if farewell and farewell.valid_until > now else None,
    )


def _link(account: Turnable, around: Surroundings, keyring: Keyring) -> Link | None:
    """By which those who are told can acknowledge the turn; none if nobody is."""
    predecessor = around.predecessors[account.id]
    if not around.targets[account.id]:
        return None
    return new_link(keyring, account.tenant_id, predecessor.id)


def _next_rotation(account: Turnable, cause: Cause, now: datetime) -> datetime | None:
    policy = account.policy
    if policy is None:
        return None
    if cause is Cause.SCHEDULED and account.next_rotation_at is not None:
        due = policy.next_due(account.id, previous=account.next_rotation_at, now=now)
    else:
        due = policy.first_due(account.id, reckoned_from=now, now=now)
    return None if account.expires_at is not None and due >= account.expires_at else due


def notice_before_end(farewell: Farewell, grace: timedelta) -> datetime:
    """When people are told that this grace ends."""
    return farewell.grace_until - min(grace / _NOTICE_PART, _LONGEST_NOTICE)
