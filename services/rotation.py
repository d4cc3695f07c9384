"""Rotation on schedule: claim what is due, turn it in one commit, leave out what cannot.

Law 8: due work is a predicate over rows. Any number of callers may race; each claims
accounts that no other holds, and whoever comes late finds nothing due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from core import backoff
from core.actors import Actor
from core.events import EventType
from models import VirtualAccount
from services.outbox import Outbox
from services.runtime import Runtime
from services.turning import Cause, Surroundings, Turn, prepare, read_surroundings, write
from services.waiting import Waiting

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
    waiting = Waiting.of(session, accounts, around, outbox.now)
    turns: list[Turn] = []
    failed = 0
    for account in accounts:
        if reason := waiting.reason(account):
            _wait(account, around, outbox, reason)
            continue
        try:
            turns.append(_prepare(runtime, account, around, outbox))
        except Exception as error:  # noqa: BLE001 - one poisoned account must not stop the rest
            failed += 1
            _fail(account, around, outbox, type(error).__name__)
    try:
        write(session, turns, around, outbox)
        session.flush()
    except _REFUSED:
        raise BatchRefused([account.id for account in accounts]) from None
    return Rotated(
        claimed=len(accounts),
        turned=len(turns),
        waiting=len(accounts) - len(turns) - failed,
        failed=failed,
    )


def _claim(
    session: Session, outbox: Outbox, limit: int, only: Sequence[UUID] | None
) -> Sequence[VirtualAccount]:
    due = (
        select(VirtualAccount)
        .where(VirtualAccount.due_at <= outbox.now)
        .order_by(VirtualAccount.due_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    if only is not None:
        due = due.where(VirtualAccount.id.in_(only))
    return session.scalars(due).all()


def _prepare(
    runtime: Runtime, account: VirtualAccount, around: Surroundings, outbox: Outbox
) -> Turn:
    return prepare(
        account,
        around,
        now=outbox.now,
        cause=Cause.SCHEDULED,
        actor=Actor.engine(account.tenant_id),
        keyring=runtime.keyring,
    )


def _wait(account: VirtualAccount, around: Surroundings, outbox: Outbox, reason: str) -> None:
    """Still due, looked at again later; told once."""
    if account.waiting_since is None:
        account.waiting_since = outbox.now
        outbox.tell(
            account.tenant_id,
            EventType.ROTATION_WAITING,
            account_id=account.id,
            facts={"account": account.name, "reason": reason},
            targets=around.targets[account.id],
        )
    waited = outbox.now - account.waiting_since
    account.due_at = outbox.now + min(timedelta(seconds=2) + waited / 4, timedelta(minutes=5))


def _fail(account: VirtualAccount, around: Surroundings, outbox: Outbox, error: str) -> None:
    """Left out, with its due time kept; tried again with backoff; told at the first failure."""
    log.error("rotation.failed", account=str(account.id), error=error)
    account.rotation_failures += 1
    account.due_at = outbox.now + backoff.wait(account.rotation_failures)
    if account.rotation_failures == 1:
        outbox.tell(
            account.tenant_id,
            EventType.ROTATION_FAILED,
            account_id=account.id,
            facts={"account": account.name, "error": error},
            targets=around.targets[account.id],
        )


def _refuse(session: Session, outbox: Outbox, account_id: UUID) -> Rotated:
    found = _claim(session, outbox, 1, [account_id])
    for account in found:
        around = read_surroundings(session, [account])
        _fail(account, around, outbox, "the database refused the rotation's rows")
    return Rotated(claimed=len(found), failed=len(found))
