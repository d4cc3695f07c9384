"""Uses of tokens that processes counted which are no more: put together, one row for each token."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.callers import Tally
from models import (
    ExchangedToken,
    LoginSession,
    PersonalAccessToken,
    Process,
    TokenRow,
    TokenUse,
    VirtualAccount,
)
from models.uses import ENDED_PROCESSES
from services import bulk
from services.verify.use_rows import Key, add_to, as_tally, insertion, locked_rows, values_of, write

_KINDS = (TokenRow, PersonalAccessToken, ExchangedToken, LoginSession, VirtualAccount)


def fold(session: Session, limit: int) -> int:
    """Adds rows of processes that are no more together; answers how many it took up.

    Those of tokens that are no more go.
    """
    rows = session.scalars(
        select(TokenUse)
        .where(TokenUse.process.in_(_ended(session)))
        .order_by(TokenUse.token_id, TokenUse.is_late)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    there = _existing(session, {row.token_id for row in rows})
    folded: dict[Key, Tally] = {}
    for row in rows:
        if row.token_id in there:
            add_to(folded, Key(row.token_id, row.is_late), as_tally(row))
    _add(session, folded)
    for row in rows:
        session.delete(row)
    return len(rows)


def forget(session: Session, token_ids: Collection[UUID]) -> None:
    """Nothing is known of the uses of these any more."""
    if token_ids:
        session.execute(delete(TokenUse).where(bulk.among(session, TokenUse.token_id, token_ids)))


def _add(session: Session, folded: dict[Key, Tally]) -> None:
    """They are there before they are locked: two who fold do not overlook each other."""
    if not folded:
        return
    empty = [
        values_of(ENDED_PROCESSES, 0, key, Tally(0, tally.last_used_at))
        for key, tally in folded.items()
    ]
    session.connection().execute(insertion(session).on_conflict_do_nothing(), empty)
    for key, row in locked_rows(session, folded, ENDED_PROCESSES).items():
        if key in folded:
            folded[key].add(as_tally(row))
    write(session, ENDED_PROCESSES, 0, folded)


def _ended(session: Session) -> Sequence[UUID]:
    """The processes that have rows here and no heartbeat any more; a step in the index for each."""
    found: list[UUID] = []
    last = ENDED_PROCESSES
    after = select(TokenUse.process).order_by(TokenUse.process).limit(1)
    while (process := session.scalar(after.where(TokenUse.process > last))) is not None:
        found.append(last := process)
    alive = set(session.scalars(select(Process.id).where(Process.id.in_(found))))
    return [process for process in found if process not in alive]


def _existing(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Those of these tokens and accounts that are there."""
    if not ids:
        return set()
    return {
        row
        for model in _KINDS
        for row in session.scalars(select(model.id).where(bulk.among(session, model.id, ids)))
    }
