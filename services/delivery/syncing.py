"""Sending an account's current token to its places again, and how far it has got."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict
from models import (
    OPEN,
    Delivery,
    Place,
    PlaceState,
    Priority,
    TokenRow,
    VirtualAccount,
)
from services.accounts.account_views import audit_account, lock_account, readable
from services.accounts.places import send_copies
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import mine

STILL_PENDING = "still pending"
# So many calls wait at once in this process; the rest are answered without waiting.
WAITERS = threading.BoundedSemaphore(8)

_LONGEST = timedelta(seconds=10)
_FIRST_LOOK, _LAST_LOOK = timedelta(milliseconds=50), timedelta(milliseconds=500)


@dataclass(frozen=True)
class Synced:
    """How far the current token has got into the account's places.

    `token_id` is of the newest token that every place has confirmed; `updated_at` is when the
    last of them did. Both are None if there is none.
    """

    token_id: UUID | None
    updated_at: datetime | None
    pending: int
    error: str | None


def sync_and_wait(
    runtime: Runtime, actor: Actor, account_id: str | UUID, *, force: bool = False
) -> Synced:
    """Sends as `sync_now` does, and waits up to ten seconds for it to arrive."""
    sync_now(runtime, actor, account_id, force=force)
    wait_for_sends(runtime, actor.tenant_id, account_id)
    return sync_state(runtime, actor, account_id)


def sync_now(runtime: Runtime, actor: Actor, account_id: str | UUID, *, force: bool) -> None:
    """Sends the current token to every place that has not confirmed it; `force`: to every one.

    Without `force`, a second call changes nothing once all have confirmed.
    """

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id, "virtual-account:update")
        if account.is_mapped:
            raise Conflict(f"{account.name} has no token of its own: there is nothing to send.")
        places = _places(session, account)
        if not places:
            raise Conflict(f"{account.name} has no secret store configured.")
        behind = [p for p in places if force or p.confirmed_generation < account.generation]
        if not behind:
            return
        if not send_copies(
            session, outbox, account, behind, cause="sync", priority=Priority.MANUAL
        ):
            raise Conflict(f"{account.name} has no valid token; regenerate it.")
        audit_account(outbox, actor, "token.sync", account, {"generation": account.generation})

    runtime.change(use_case)


def sync_state(runtime: Runtime, actor: Actor, account_id: str | UUID) -> Synced:
    """Where the account's places stand now."""
    with runtime.database.reading() as session:
        account = readable(session, actor, account_id, "virtual-account:update")
        places = _places(session, account)
        pending = _pending(session, account.tenant_id, account.id)
        oldest = min((place.confirmed_generation for place in places), default=0)
        token_id = session.scalar(
            select(TokenRow.id).where(
                TokenRow.tenant_id == actor.tenant_id,
                TokenRow.account_id == account.id,
                TokenRow.generation == oldest,
            )
        )
        confirmed = [place.confirmed_at for place in places if place.confirmed_at]
        failed = next((place.last_error for place in places if place.last_error), None)
        return Synced(
            token_id=token_id,
            updated_at=max(confirmed) if confirmed and token_id else None,
            pending=pending,
            error=STILL_PENDING if pending else failed,
        )


def wait_for_sends(runtime: Runtime, tenant_id: UUID, account_id: str | UUID) -> None:
    """Until nothing is on its way to the account's places, ten seconds at most.

    Where too many wait already in this process, it does not wait at all.
    """
    if WAITERS.acquire(blocking=False):
        try:
            _wait(runtime, tenant_id, account_id)
        finally:
            WAITERS.release()


def _wait(runtime: Runtime, tenant_id: UUID, account_id: str | UUID) -> None:
    account = UUID(str(account_id))
    until, look = runtime.now() + _LONGEST, _FIRST_LOOK
    never = threading.Event()
    while True:
        with runtime.database.reading() as session:
            if not _pending(session, tenant_id, account):
                return
        now = runtime.now()
        if now >= until:
            return
        runtime.clock.wait_until(min(now + look, until), never)
        look = min(look * 2, _LAST_LOOK)


def _pending(session: Session, tenant_id: UUID, account_id: UUID) -> int:
    """How many copies are on their way to the account's present places."""
    here = select(Place.id).where(
        Place.tenant_id == tenant_id,
        Place.account_id == account_id,
        Place.state == PlaceState.ACTIVE,
    )
    open_ones = select(func.count()).where(
        Delivery.account_id == account_id,
        Delivery.tenant_id == tenant_id,
        Delivery.place_id.in_(here),
        Delivery.state.in_(OPEN),
    )
    return session.scalar(open_ones) or 0


def _places(session: Session, account: VirtualAccount) -> Sequence[Place]:
    return session.scalars(
        mine(Place, account.tenant_id)
        .where(Place.account_id == account.id, Place.state == PlaceState.ACTIVE)
        .order_by(Place.id)
    ).all()
