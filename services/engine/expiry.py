"""The ends of tokens. Validity ends by itself (law 7); these sweeps record it and tell.

Each claims accounts that no other holds, in batches; a second call does the next ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.events import SEVERITY, EventType, Severity
from models import TokenRow, TokenState, VirtualAccount
from services import bulk
from services.notices.acknowledge_links import facts_of
from services.notices.stragglers import stragglers
from services.notices.subscribers import Recipient, subscribers
from services.outbox import Outbox, written
from services.runtime import Runtime

BATCH = 500
_LIVE = (TokenState.CURRENT, TokenState.GRACE)


def expire_due(runtime: Runtime, limit: int = BATCH) -> int:
    """Records the tokens whose validity is over; answers how many were recorded."""
    return runtime.change(lambda session, outbox: _expire(session, outbox, limit))


def tell_due(runtime: Runtime, limit: int = BATCH) -> int:
    """Tells what a grace's end brings: that it is near, and that it is being held."""
    return runtime.change(lambda session, outbox: _tell(session, outbox, limit))


def _expire(session: Session, outbox: Outbox, limit: int) -> int:
    over = (TokenRow.state.in_(_LIVE), TokenRow.valid_until <= outbox.now)
    accounts, tokens, targets = _claim(session, over, TokenRow.valid_until, limit)
    for token in tokens:
        account = accounts[token.account_id]
        # A JWT that nothing could turn in time has ended alone: its successor is overdue.
        is_last = token.state is TokenState.CURRENT and (
            not token.is_jwt or account.is_expired(outbox.now)
        )
        event_type = EventType.ACCOUNT_EXPIRED if is_last else _ending(token)
        if is_last:
            account.schedule(None)
        token.end(TokenState.EXPIRED, outbox.now)
        outbox.tell(
            token.tenant_id,
            event_type,
            account_id=account.id,
            facts=_facts(account, token),
            targets=targets[account.id],
            ends=None if is_last else token.told_as or None,
        )
    return len(tokens)


def _ending(token: TokenRow) -> EventType:
    if token.awaits_confirmation:
        return EventType.HOLD_EXHAUSTED
    return EventType.TOKEN_EXPIRED


def _tell(session: Session, outbox: Outbox, limit: int) -> int:
    due = (TokenRow.notice_at <= outbox.now,)
    accounts, tokens, targets = _claim(session, due, TokenRow.notice_at, limit)
    used = stragglers(session, tokens, outbox.now)
    for token in tokens:
        assert token.grace_until is not None
        ended = token.grace_until <= outbox.now
        token.notice_at = None if ended or not token.awaits_confirmation else token.grace_until
        if not token.is_valid(outbox.now) or (ended and not token.is_held(outbox.now)):
            continue
        account = accounts[token.account_id]
        event = EventType.GRACE_HELD if ended else EventType.GRACE_ENDING
        severity = Severity.WARNING if token.id in used else SEVERITY[event]
        token.told_as = max(token.told_as or 0, severity)
        link = None if ended else token.link_sealed
        outbox.tell(
            token.tenant_id,
            event,
            account_id=account.id,
            facts=_facts(account, token) | used.get(token.id, {}) | facts_of(token.id, link),
            targets=targets[account.id],
            severity=severity,
        )
    return len(tokens)


def _claim(
    session: Session, clauses: Iterable[Any], by: Any, limit: int
) -> tuple[dict[UUID, VirtualAccount], Sequence[TokenRow], Mapping[UUID, Sequence[Recipient]]]:
    """Tokens that match, of accounts that are locked now; those that others hold are left."""
    wanted = session.execute(
        select(TokenRow.account_id, TokenRow.tenant_id).where(*clauses).order_by(by).limit(limit)
    ).all()
    accounts = {
        account.id: account
        for account in session.scalars(
            select(VirtualAccount)
            .where(bulk.among(session, VirtualAccount.id, {row.account_id for row in wanted}))
            .order_by(VirtualAccount.id)
            .with_for_update(key_share=True, skip_locked=True)
        )
    }
    if not accounts:
        return {}, [], {}
    tokens = session.scalars(
        select(TokenRow).where(bulk.among(session, TokenRow.account_id, accounts), *clauses)
    ).all()
    return accounts, tokens, subscribers(session, accounts.values())


def _facts(account: VirtualAccount, token: TokenRow) -> dict[str, Any]:
    return {
        "account": account.name,
        "generation": token.generation,
        "last_four": token.last_four,
        "grace_until": written(token.grace_until),
        "hold_until": written(token.hold_until),
        "valid_until": written(token.valid_until),
    }
