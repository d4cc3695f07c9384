"""Stragglers: who still uses an old token although its successor is there, as notices say it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from core.callers import Caller
from models import TokenRow
from services import bulk
from services.outbox import written
from services.verify.uses import still_used

_SHOWN = 5
# Who has not come for a quarter of the grace, or for a week, has picked the new token up.
_PART = 4
_LONGEST = timedelta(days=7)


def stragglers(
    session: Session, tokens: Sequence[TokenRow], now: datetime
) -> dict[UUID, dict[str, Any]]:
    """The facts about those of these old tokens that are still used."""
    used = still_used(session, _since(session, tokens, now))
    return {
        token_id: {
            "uses": uses.count,
            "callers": [_told(caller) for caller, _ in uses.callers[:_SHOWN]],
            "last_used_at": written(uses.last_used_at),
        }
        for token_id, uses in used.items()
    }


def _since(session: Session, tokens: Sequence[TokenRow], now: datetime) -> dict[UUID, datetime]:
    """From when on a use of each token counts; one without a successor has no stragglers."""
    old, new = aliased(TokenRow), aliased(TokenRow)
    rotations = session.execute(
        select(old.id, old.grace_until, new.created_at)
        .join(
            new,
            (new.account_id == old.account_id)
            & (new.tenant_id == old.tenant_id)
            & (new.generation == old.generation + 1),
        )
        .where(bulk.among(session, old.id, [token.id for token in tokens]))
    )
    graces = {row.id: row.grace_until - row.created_at for row in rotations if row.grace_until}
    return {token_id: now - min(grace / _PART, _LONGEST) for token_id, grace in graces.items()}


def _told(caller: Caller) -> str:
    """`192.0.2.7 (curl/8.5.0)`."""
    address = caller.address or "an unknown address"
    return f"{address} ({caller.user_agent})" if caller.user_agent else address
