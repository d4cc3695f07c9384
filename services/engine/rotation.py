"""Rotation on schedule: claim what is due, turn it in one commit, leave out what cannot.

Law 8: due work is a predicate over rows. Any number of callers may race; each claims
accounts that no other holds, and whoever comes late finds nothing due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from core import backoff
from core.actors import Actor
from core.events import EventType
from core.policy import Policy
from models import TokenType, VirtualAccount
from models.accounts import policy_of, turn_by
from services import bulk
from services.engine.minting import Cause, Turn, prepare
from services.engine.signing import add_signers
from services.engine.surroundings import Surroundings, read_surroundings
from services.engine.turn_rows import write
from services.engine.waiting import Waiting
from services.outbox import Outbox
from services.runtime import Runtime

log = structlog.get_logger(__name__)

_REFUSED = (DataError, IntegrityError)


@dataclass(frozen=True)
class Rotated:
    """What one batch did. `claimed` at the batch's size means that more may be due."""

    claimed: int = 0
    turned: int = 0
    waiting: int = 0
    failed: int = 0

    def __add__(self, other: "Rotated") -> "Rotated":
        return Rotated(
            self.claimed + other.claimed,
            self.turned + other.turned,
            self.waiting + other.waiting,
            self.failed + other.failed,
        )


class Due(NamedTuple):
    """A claimed account: the columns that rotation needs."""

    id: UUID
    tenant_id: UUID
    team_id: UUID | None
    is_silent: bool
    name: str
    generation: int
    rotation_interval: timedelta | None
    rotation_schedule: str | None
    timezone: str
    spread: timedelta
    grace: timedelta
    max_hold: timedelta
    expires_at: datetime | None
    token_type: TokenType
    jwt_expires_at: datetime | None
    next_rotation_at: datetime | None
    paused_at: datetime | None
    waiting_since: datetime | None
    rotation_failures: int
    notify_before: list[int] | None
    remind_at: datetime | None

    @property
    def policy(self) -> Policy | None:
        return policy_of(self)


class BatchRefused(Exception):
    """The database refused to write this batch; it names the accounts that were in it."""

    def __init__(self, accounts: Sequence[UUID]) -> None:
        super().__init__(f"{len(accounts)} accounts")
        self.accounts = accounts


def rotate_due(runtime: Runtime, limit: int | None = None) -> Rotated:
    """Turns the keys of at most `limit` due accounts. A second call does the next ones."""
    limit = limit or runtime.settings.rotation_batch
    try:
        return runtime.change(lambda session, outbox: _batch(runtime, session, outbox, limit=limit))
    except BatchRefused as refused:
        return _halved(runtime, refused.accounts)


def _halved(runtime: Runtime, accounts: Sequence[UUID]) -> Rotated:
    """A batch that the database refuses is halved until the culprit is alone."""
    if len(accounts) == 1:
        return runtime.change(lambda session, outbox: _refuse(session, outbox, accounts[0]))
    done = Rotated()
    middle = len(accounts) // 2
    for half in (accounts[:middle], accounts[middle:]):
        try:
            done += runtime.change(
                lambda session, outbox, only=half: _batch(  # type: ignore[misc]
                    runtime, session, outbox, limit=len(only), only=only
                )
            )
        except BatchRefused as refused:
            done += _halved(runtime, refused.accounts)
    return done


def _batch(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    *,
    limit: int,
    only: Sequence[UUID] | None = None,
) -> Rotated:
    accounts = _claim(session, outbox, limit, only)
    if not accounts:
        return Rotated()
    around = read_surroundings(session, accounts)
    add_signers(session, around, accounts, runtime.keyring, outbox.now)
    waiting = Waiting.of(session, accounts, around, outbox.now)
    engines = {account.tenant_id: Actor.engine(account.tenant_id) for account in accounts}
    turns: list[Turn] = []
    waits: list[bulk.Row] = []
    failures: list[bulk.Row] = []
    for account in accounts:
        if reason := waiting.reason(account):
            waits.append(_wait(account, around, outbox, reason))
            continue
        try:
            turns.append(
                prepare(
                    account,
                    around,
                    now=outbox.now,
                    cause=Cause.SCHEDULED,
                    actor=engines[account.tenant_id],
                    keyring=runtime.keyring,
                )
            )
        except Exception as error:  # noqa: BLE001 - one poisoned account must not stop the rest
            failures.append(_fail(account, around, outbox, type(error).__name__))
    bulk.update_each(session, VirtualAccount, waits)
    bulk.update_each(session, VirtualAccount, failures)
    try:
        write(session, turns, around, outbox)
    except _REFUSED:
        raise BatchRefused([account.id for account in accounts]) from None
    return Rotated(len(accounts), len(turns), len(waits), len(failures))


def _claim(session: Session, outbox: Outbox, limit: int, only: Sequence[UUID] | None) -> list[Due]:
    due = (
        select(*(getattr(VirtualAccount, name) for name in Due._fields))
        .where(VirtualAccount.due_at <= outbox.now)
        .order_by(VirtualAccount.due_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    if only is not None:
        due = due.where(bulk.among(session, VirtualAccount.id, only))
    return [Due(*row) for row in session.execute(due)]


def _wait(account: Due, around: Surroundings, outbox: Outbox, reason: str) -> bulk.Row:
    """Still due, looked at again later; told once."""
    since = account.waiting_since
    if since is None:
        since = outbox.now
        outbox.tell(
            account.tenant_id,
            EventType.ROTATION_WAITING,
            account_id=account.id,
            facts={"account": account.name, "reason": reason},
            targets=around.targets[account.id],
        )
    again = outbox.now + min(timedelta(seconds=2) + (outbox.now - since) / 4, timedelta(minutes=5))
    return {
        "tenant_id": account.tenant_id,
        "id": account.id,
        "waiting_since": since,
        "due_at": min(filter(None, (again, turn_by(account, account.jwt_expires_at)))),
    }


def _fail(account: Due, around: Surroundings, outbox: Outbox, error: str) -> bulk.Row:
    """Left out, with its due time kept; tried again with backoff; told at the first failure."""
    log.error("rotation.failed", account=str(account.id), error=error)
    failures = account.rotation_failures + 1
    if failures == 1:
        outbox.tell(
            account.tenant_id,
            EventType.ROTATION_FAILED,
            account_id=account.id,
            facts={"account": account.name, "error": error},
            targets=around.targets[account.id],
        )
    return {
        "tenant_id": account.tenant_id,
        "id": account.id,
        "rotation_failures": failures,
        "due_at": outbox.now + backoff.wait(failures),
    }


def _refuse(session: Session, outbox: Outbox, account_id: UUID) -> Rotated:
    found = _claim(session, outbox, 1, [account_id])
    for account in found:
        around = read_surroundings(session, [account])
        failure = _fail(account, around, outbox, "the database refused the rotation's rows")
        bulk.update_each(session, VirtualAccount, [failure])
    return Rotated(claimed=len(found), failed=len(found))
