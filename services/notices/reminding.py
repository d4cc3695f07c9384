"""Reminders: of rotations to come, and of the ends of accounts and of personal access tokens.

When each is due stands in a column of its row, moved on in the commit that tells of it: once,
whoever else looks at the same time, and late but true after an outage.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.durations import spoken
from core.events import EventType, Severity
from core.reminders import (
    ALARMING,
    BEFORE_PERSONAL_EXPIRY,
    is_due,
    next_reminder,
)
from models import PersonalAccessToken, User, VirtualAccount
from services import bulk
from services.engine.expiry import BATCH
from services.notices.subscribers import Recipient, subscribers, subscribers_of
from services.notices.tenant_mail import Mail
from services.outbox import Outbox, written
from services.runtime import Runtime


def remind_due(runtime: Runtime, limit: int = BATCH) -> int:
    """Reminds people of what comes for one batch of accounts; answers how many were due."""
    return runtime.change(lambda session, outbox: _remind(session, outbox, limit))


def remind_owners_due(runtime: Runtime, limit: int = BATCH) -> int:
    """The same for personal access tokens, whose owners are told by e-mail."""
    return runtime.change(lambda session, outbox: _remind_owners(runtime, session, outbox, limit))


def tell_extended(
    session: Session, outbox: Outbox, account: VirtualAccount, old_end: datetime | None
) -> None:
    """Whoever was warned that the account ends hears that it does not yet."""
    if old_end is None or (account.expires_at is not None and account.expires_at <= old_end):
        return
    if old_end - outbox.now <= ALARMING:
        outbox.tell(
            account.tenant_id,
            EventType.ACCOUNT_EXTENDED,
            account_id=account.id,
            facts={"account": account.name, "expires_at": written(account.expires_at)},
            targets=subscribers_of(session, account),
            ends=Severity.WARNING,
        )


def _remind(session: Session, outbox: Outbox, limit: int) -> int:
    now = outbox.now
    accounts = session.scalars(
        select(VirtualAccount)
        .where(VirtualAccount.remind_at <= now)
        .order_by(VirtualAccount.remind_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    if not accounts:
        return 0
    told = subscribers(session, accounts)
    for account in accounts:
        since = account.remind_at
        assert since is not None
        rotation, end = account.comings
        account.remind_at = next_reminder(now, rotation, end)
        if is_due(rotation, since, now):
            _tell_upcoming(outbox, account, told[account.id])
        if is_due(end, since, now):
            _tell_expiring(outbox, account, told[account.id])
    return len(accounts)


def _tell_upcoming(outbox: Outbox, account: VirtualAccount, targets: Sequence[Recipient]) -> None:
    moment = account.turns_at
    assert moment is not None
    outbox.tell(
        account.tenant_id,
        EventType.ROTATION_UPCOMING,
        account_id=account.id,
        facts={
            "account": account.name,
            "next_rotation_at": written(moment),
            "grace_until": written(moment + account.grace),
            "remaining": spoken(moment - outbox.now),
        },
        targets=targets,
    )


def _tell_expiring(outbox: Outbox, account: VirtualAccount, targets: Sequence[Recipient]) -> None:
    assert account.expires_at is not None
    outbox.tell(
        account.tenant_id,
        EventType.ACCOUNT_EXPIRING,
        account_id=account.id,
        facts={"account": account.name, **_ending(account.expires_at, outbox.now)},
        targets=targets,
        severity=_urgency(account.expires_at, outbox.now),
    )


def _remind_owners(runtime: Runtime, session: Session, outbox: Outbox, limit: int) -> int:
    now = outbox.now
    tokens = session.scalars(
        select(PersonalAccessToken)
        .where(PersonalAccessToken.remind_at <= now)
        .order_by(PersonalAccessToken.remind_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    if not tokens:
        return 0
    owners = _owners(session, {token.user_id for token in tokens})
    mail = Mail(session, runtime.opened)
    for token in tokens:
        since = token.remind_at
        assert since is not None
        ending = (token.expires_at, BEFORE_PERSONAL_EXPIRY)
        token.remind_at = next_reminder(now, ending)
        owner = owners[token.user_id]
        if owner.active and token.is_valid(now) and is_due(ending, since, now):
            assert token.expires_at is not None
            outbox.tell(
                token.tenant_id,
                EventType.PERSONAL_TOKEN_EXPIRING,
                facts={
                    "account": owner.email,
                    "name": token.name,
                    "last_four": token.last_four,
                    **_ending(token.expires_at, now),
                },
                targets=mail.to(token.tenant_id, owner.email),
                severity=_urgency(token.expires_at, now),
            )
    return len(tokens)


def _owners(session: Session, ids: Collection[UUID]) -> Mapping[UUID, User]:
    rows = session.scalars(select(User).where(bulk.among(session, User.id, ids)))
    return {user.id: user for user in rows}


def _ending(moment: datetime, now: datetime) -> dict[str, str]:
    return {"expires_at": written(moment), "remaining": spoken(moment - now)}


def _urgency(moment: datetime, now: datetime) -> Severity:
    return Severity.WARNING if moment - now <= ALARMING else Severity.INFO
