"""Uses of tokens, as they are asked for; those of the last seconds are not written yet."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.callers import Caller, Seen, Tally, top
from models import TokenUse
from services import bulk
from services.verify.use_rows import as_tally


@dataclass(frozen=True)
class Uses:
    """How often, when last, and by whom, the most frequent first.

    All uses are counted; of the callers the twenty that matter most are known, at least so often.
    """

    count: int = 0
    last_used_at: datetime | None = None
    callers: Sequence[tuple[Caller, Seen]] = ()


def last_uses(session: Session, ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When each of these tokens and accounts was last used; those that were not are left out."""
    if not ids:
        return {}
    found = session.execute(
        select(TokenUse.token_id, func.max(TokenUse.last_used_at))
        .where(bulk.among(session, TokenUse.token_id, ids))
        .group_by(TokenUse.token_id)
    )
    return {row[0]: row[1] for row in found}


def still_used(session: Session, since: Mapping[UUID, datetime]) -> dict[UUID, Uses]:
    """Which tokens were used since those moments although a successor was there, and by whom.

    Counted from the successor on; the callers are those who came since that moment.
    """
    found: dict[UUID, list[TokenUse]] = {}
    for row in rows_of(session, since):
        if row.is_late:
            found.setdefault(row.token_id, []).append(row)
    used = {token_id: merged(rows, since[token_id]) for token_id, rows in found.items()}
    return {
        token_id: uses
        for token_id, uses in used.items()
        if uses.last_used_at is not None and uses.last_used_at >= since[token_id]
    }


def rows_of(session: Session, ids: Collection[UUID]) -> Sequence[TokenUse]:
    """What every process has written of these tokens and accounts."""
    if not ids:
        return ()
    return session.scalars(
        select(TokenUse).where(bulk.among(session, TokenUse.token_id, ids))
    ).all()


def merged(rows: Iterable[TokenUse], since: datetime | None = None) -> Uses:
    """The rows together; of the callers those who came since that moment."""
    total: Tally | None = None
    for row in rows:
        if total is None:
            total = as_tally(row)
        else:
            total.add(as_tally(row))
    if total is None:
        return Uses()
    callers = [
        (caller, seen)
        for caller, seen in top(total.callers.items())
        if since is None or seen.last_used_at >= since
    ]
    return Uses(total.count, total.last_used_at, callers)
