"""Turning the keys of many accounts by hand: first what it means, then batch by batch.

Every batch is one commit, with an audit row for each account. What was turned since `before`
is left out, so that going on after an interruption turns nothing twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from core.actors import Actor
from models import AccountState, Lane, Place, PlaceState, TokenRow, TokenState, VirtualAccount
from services.accounts.account_filters import Narrowing
from services.engine.floors import Floor, floors, slowest
from services.engine.minting import Cause, Turn, prepare
from services.engine.signing import add_signers
from services.engine.surroundings import read_surroundings
from services.engine.turn_rows import write
from services.outbox import Outbox
from services.runtime import Runtime

log = structlog.get_logger(__name__)

BATCH = 500


@dataclass(frozen=True)
class Ahead:
    """What turning these keys means.

    `unkept` accounts are in no store: whoever uses them has to fetch the new token. The stores
    need `seconds` at least; of `short_graces` accounts in a store with a limit half the grace is
    less.
    """

    before: datetime
    accounts: int
    unkept: int
    short_graces: int
    seconds: float
    floors: list[Floor] = field(default_factory=list)


@dataclass(frozen=True)
class Turned:
    """What one batch did; `failed` names the accounts that could not be turned."""

    turned: int = 0
    failed: tuple[str, ...] = ()
    last: UUID | None = None


def look_ahead(
    runtime: Runtime, actor: Actor, narrowing: Narrowing, *, before: datetime | None = None
) -> Ahead:
    """How many accounts would be turned, and the least time their stores need for it.

    They are those that have a token, were not turned at or since `before` (left out: now), and
    are not suspended. Forbidden unless the actor may manage every account of the tenant.
    """
    actor.demand_everywhere("virtual-account:manage")
    now = runtime.now()
    before = now if before is None else min(before, now)
    wanted = _wanted(actor, narrowing, before, now)
    ids = select(VirtualAccount.id).where(*wanted)
    with runtime.database.reading() as session:
        found = floors(session, runtime.opened, actor.tenant_id, Place.account_id.in_(ids))
        seconds = slowest(found)
        return Ahead(
            before=before,
            accounts=_count(session, *wanted),
            unkept=_count(session, *wanted, ~_is_kept()),
            short_graces=_count(
                session,
                *wanted,
                _is_kept(Lane.per_second.is_not(None)),
                VirtualAccount.grace < 2 * timedelta(seconds=seconds),
            ),
            seconds=seconds,
            floors=found,
        )


def turn_all(
    runtime: Runtime, actor: Actor, narrowing: Narrowing, *, before: datetime, batch: int = BATCH
) -> Iterator[Turned]:
    """Turns them with their own graces, yielding what each batch did.

    Their copies are sent before those of scheduled rotations. An account that cannot be turned
    is left out. Each yield is committed.
    """
    actor.demand_everywhere("virtual-account:manage")
    after = UUID(int=0)
    while True:
        done = runtime.change(
            lambda session, outbox, after=after: _turn(  # type: ignore[misc]
                runtime, session, outbox, actor, narrowing, before, after, batch
            )
        )
        if done.last is None:
            return
        yield done
        after = done.last


def _turn(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    narrowing: Narrowing,
    before: datetime,
    after: UUID,
    batch: int,
) -> Turned:
    held = session.scalars(
        select(VirtualAccount)
        .where(*_wanted(actor, narrowing, before, outbox.now), VirtualAccount.id > after)
        .order_by(VirtualAccount.id)
        .limit(batch)
        .with_for_update(key_share=True, of=VirtualAccount)
    ).all()
    if not held:
        return Turned()
    around = read_surroundings(session, held)
    add_signers(session, around, held, runtime.keyring, outbox.now)
    turns: list[Turn] = []
    failed: list[str] = []
    for account in held:
        try:
            turns.append(
                prepare(
                    account,
                    around,
                    now=outbox.now,
                    cause=Cause.MANUAL,
                    actor=actor,
                    keyring=runtime.keyring,
                )
            )
        except Exception as error:  # noqa: BLE001 - one poisoned account must not stop the rest
            log.warning("rotation.failed", account=str(account.id), error=type(error).__name__)
            failed.append(account.name)
    write(session, turns, around, outbox)
    return Turned(len(turns), tuple(failed), held[-1].id)


def _wanted(
    actor: Actor, narrowing: Narrowing, before: datetime, now: datetime
) -> Sequence[ColumnElement[bool]]:
    has_token = exists().where(
        TokenRow.tenant_id == VirtualAccount.tenant_id,
        TokenRow.account_id == VirtualAccount.id,
        TokenRow.state == TokenState.CURRENT,
    )
    return (
        VirtualAccount.tenant_id == actor.tenant_id,
        VirtualAccount.state == AccountState.ACTIVE,
        VirtualAccount.rotated_at < before,
        or_(VirtualAccount.expires_at.is_(None), VirtualAccount.expires_at > now),
        has_token,
        *narrowing.conditions(actor.tenant_id, now),
    )


def _is_kept(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        Place.tenant_id == VirtualAccount.tenant_id,
        Place.account_id == VirtualAccount.id,
        Place.state == PlaceState.ACTIVE,
        Place.lane_id == Lane.id,
        Place.tenant_id == Lane.tenant_id,
        *where,
    )


def _count(session: Session, *wanted: Any) -> int:
    return session.scalar(select(func.count()).select_from(VirtualAccount).where(*wanted)) or 0
