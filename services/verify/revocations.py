"""The list for offline verifiers: JWTs whose validity ended before their `exp`, until that.

An entry gets its number when the list is read, one reader at a time, so that none appears behind
a cursor: whoever asks for what follows the last number has missed nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from models import Installation, TokenRow, TokenState
from services import bulk
from services.runtime import Runtime

MOST = 1_000
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RevokedJwt(NamedTuple):
    """A JWT that is not to be taken any more, though its `exp` lies ahead."""

    number: int
    id: UUID
    expires_at: datetime


def revoked_jwts(runtime: Runtime, *, after: int = 0, limit: int = MOST) -> list[RevokedJwt]:
    """What follows the number `after`, in order; at most `limit`."""
    now = runtime.now()
    with runtime.database.reading() as session:
        has_new = session.scalar(select(TokenRow.id).where(*_unlisted(now)).limit(1)) is not None
    if has_new:
        runtime.database.write(lambda session: _number(session, now))
    with runtime.database.reading() as session:
        rows = session.execute(
            select(TokenRow.revocation, TokenRow.id, TokenRow.expires_at)
            .where(TokenRow.revocation > after, TokenRow.expires_at > now)
            .order_by(TokenRow.revocation)
            .limit(limit)
        )
        return [RevokedJwt._make(row) for row in rows]


def _unlisted(now: datetime) -> Sequence[ColumnElement[bool]]:
    return (
        TokenRow.signing_key_id.is_not(None),
        TokenRow.revocation.is_(None),
        TokenRow.state != TokenState.CURRENT,
        TokenRow.expires_at > now,
        or_(
            TokenRow.state.in_((TokenState.EXPIRED, TokenState.REVOKED)),
            TokenRow.valid_until <= now,
        ),
    )


def _number(session: Session, now: datetime) -> None:
    """Numbers grow with the time, also where everything that had one is gone."""
    session.get_one(Installation, 1, with_for_update=True)  # one at a time
    found = session.execute(
        select(TokenRow.tenant_id, TokenRow.id).where(*_unlisted(now)).order_by(TokenRow.id)
    ).all()
    last = session.scalar(select(func.max(TokenRow.revocation))) or 0
    first = max(last + 1, (now - _EPOCH) // _MICROSECOND)
    for part in bulk.chunks(list(enumerate(found, first)), 1_000):
        bulk.update_each(
            session,
            TokenRow,
            [
                {"tenant_id": row.tenant_id, "id": row.id, "revocation": number}
                for number, row in part
            ],
        )
