"""Acknowledging: the consumers of an account have taken over what a rotation gave them.

From then on nobody is warned that the old token ends. An account may say that its grace ends with
it: then as soon as a required place's pick-up time allows (law 7), and not while the old token was
used within the last pick-up time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor, ActorKind
from core.errors import InvalidInput
from core.manifests import parse_account
from core.tokens import TokenKind, recognise
from models import AccountState, Place, PlaceState, TokenRow, TokenState, VirtualAccount
from services.accounts.account_views import audit_account, lock_account
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import mine
from services.verify.uses import last_uses

_OVER = "this link is not valid any more: the old token has ended, or was never this one"
_BY_LINK = "somebody who was told"


@dataclass(frozen=True)
class Acknowledged:
    """What was acknowledged: the old generations, and until when the newest of them works.

    `still_used` and `waits_for_stores` are why a grace that was to end goes on.
    """

    account: str
    generations: Sequence[int]
    until: datetime | None
    still_used: bool = False
    waits_for_stores: bool = False


@dataclass(frozen=True)
class Farewell:
    """What a link is about. `by` is empty until it was acknowledged."""

    account: str
    generation: int
    until: datetime | None
    by: str


def acknowledge(
    runtime: Runtime,
    actor: Actor,
    account_id: str | UUID,
    generation: int | None = None,
) -> Acknowledged:
    """The consumers have this generation (by default the newest): all older ones are done with.

    A second call changes nothing but the end of a grace, if what kept it is over by then.
    """

    def use_case(session: Session, outbox: Outbox) -> Acknowledged:
        account = lock_account(session, actor, account_id, "virtual-account:update")
        newest = account.generation if generation is None else generation
        if not 1 <= newest <= account.generation:
            raise InvalidInput("generation", f"give a generation up to {account.generation}")
        return _acknowledge(session, outbox, actor, account, newest - 1)

    return runtime.change(use_case)


def look(runtime: Runtime, text: str) -> Farewell:
    """What the link is about; InvalidInput if it is not valid (any more). Changes nothing."""
    with runtime.database.reading() as session:
        token = _linked(session, text, runtime.now())
        account = session.get_one(VirtualAccount, (token.account_id, token.tenant_id))
        return Farewell(
            account.name, token.generation, token.valid_until, token.acknowledged_by or ""
        )


def follow(
    runtime: Runtime,
    text: str,
    *,
    address: str | None = None,
    request_id: str | None = None,
) -> Acknowledged:
    """Acknowledges what the link is about, once; InvalidInput if it is not valid (any more)."""

    def use_case(session: Session, outbox: Outbox) -> Acknowledged:
        found = _linked(session, text, outbox.now)
        account = session.get_one(
            VirtualAccount,
            (found.account_id, found.tenant_id),
            with_for_update={"key_share": True},
            populate_existing=True,
        )
        session.refresh(found)
        if found.acknowledged_at is not None or account.state is AccountState.DELETED:
            raise InvalidInput("token", "this link was used already")
        actor = Actor(
            account.tenant_id, ActorKind.LINK, _BY_LINK, address=address, request_id=request_id
        )
        return _acknowledge(session, outbox, actor, account, found.generation)

    return runtime.change(use_case)


def _linked(session: Session, text: str, now: datetime) -> TokenRow:
    token = recognise(text)
    row = None
    if token is not None and token.kind is TokenKind.ACKNOWLEDGE:
        row = session.scalar(select(TokenRow).where(TokenRow.link_hash == token.hash))
    if row is None or row.state is not TokenState.GRACE or not row.is_valid(now):
        raise InvalidInput("token", _OVER)
    return row


def _acknowledge(
    session: Session,
    outbox: Outbox,
    actor: Actor,
    account: VirtualAccount,
    newest_old: int,
) -> Acknowledged:
    """The caller holds the account's row."""
    old = [
        token
        for token in session.scalars(
            mine(TokenRow, account.tenant_id)
            .where(
                TokenRow.account_id == account.id,
                TokenRow.state == TokenState.GRACE,
                TokenRow.generation <= newest_old,
            )
            .order_by(TokenRow.generation)
            .execution_options(populate_existing=True)
        )
        if token.is_valid(outbox.now)
    ]
    fresh = [token for token in old if token.acknowledged_at is None]
    for token in fresh:
        token.acknowledge(actor.name, outbox.now)
    rotate = parse_account(account.manifest).auto_rotate
    used = waits = False
    if rotate is not None and rotate.ack_ends_grace:
        for token in old:
            end = _earliest_end(session, account, token, outbox.now)
            if end is None:
                waits = True
            elif _used_since(session, token, outbox.now - _pick_up(token)):
                used = True
            else:
                token.end_grace_at(end)
    if fresh:
        generations = [token.generation for token in fresh]
        audit_account(outbox, actor, "token.acknowledged", account, {"generations": generations})
    return Acknowledged(
        account=account.name,
        generations=[token.generation for token in old],
        until=old[-1].valid_until if old else None,
        still_used=used,
        waits_for_stores=waits,
    )


def _earliest_end(
    session: Session, account: VirtualAccount, token: TokenRow, now: datetime
) -> datetime | None:
    """When law 7 lets it end; None while a required place lacks a newer token."""
    required = session.scalars(
        mine(Place, account.tenant_id).where(
            Place.account_id == account.id, Place.state == PlaceState.ACTIVE, Place.required
        )
    ).all()
    end = now
    for place in required:
        if place.confirmed_generation <= token.generation or place.confirmed_at is None:
            return None
        end = max(end, place.confirmed_at + _pick_up(token))
    return end


def _used_since(session: Session, token: TokenRow, since: datetime) -> bool:
    last_used_at = last_uses(session, [token.id]).get(token.id)
    return last_used_at is not None and last_used_at >= since


def _pick_up(token: TokenRow) -> timedelta:
    return token.pick_up or timedelta(0)
