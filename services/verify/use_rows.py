"""Uses of tokens as rows: each process adds to its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from core.callers import Caller, Seen, Tally, top
from models import ExchangedToken, TokenRow, TokenUse
from services import bulk


@dataclass(frozen=True)
class Batch:
    """What one process counted, by token; its number grows."""

    number: int
    tallies: dict[UUID, Tally]


class Key(NamedTuple):
    """A row, for one process."""

    token_id: UUID
    is_late: bool


def store(session: Session, process: UUID, batch: Batch) -> None:
    """Adds the batch to the process's rows; a batch that was added before changes nothing."""
    counted = _by_row(session, batch.tallies)
    before = locked_rows(session, counted, process)
    if any(row.batch >= batch.number for row in before.values()):
        return
    for key, tally in counted.items():
        if key in before:
            tally.add(as_tally(before[key]))
    write(session, process, batch.number, counted)


def _by_row(session: Session, tallies: dict[UUID, Tally]) -> dict[Key, Tally]:
    """Which row each tally belongs to, and what that makes for accounts; in order of the ids."""
    successor = aliased(TokenRow)
    of_machines = (
        select(TokenRow.id, TokenRow.account_id, successor.created_at)
        .outerjoin(
            successor,
            (successor.account_id == TokenRow.account_id)
            & (successor.tenant_id == TokenRow.tenant_id)
            & (successor.generation == TokenRow.generation + 1),
        )
        .where(bulk.among(session, TokenRow.id, tallies))
    )
    known: dict[UUID, tuple[UUID, datetime | None]] = {
        row[0]: (row[1], row[2]) for row in session.execute(of_machines)
    }
    if others := [token_id for token_id in tallies if token_id not in known]:
        exchanged = select(ExchangedToken.id, ExchangedToken.account_id).where(
            bulk.among(session, ExchangedToken.id, others)
        )
        known |= {row[0]: (row[1], None) for row in session.execute(exchanged)}
    counted: dict[Key, Tally] = {}
    for token_id, tally in tallies.items():
        account_id, superseded_at = known.get(token_id, (None, None))
        is_late = superseded_at is not None and tally.last_used_at >= superseded_at
        add_to(counted, Key(token_id, is_late), tally)
        if account_id is not None:
            add_to(counted, Key(account_id, False), Tally(tally.count, tally.last_used_at))
    return dict(sorted(counted.items()))


def add_to(tallies: dict[Key, Tally], key: Key, tally: Tally) -> None:
    """Adds to the tally of this row; the given one stays as it is."""
    if key not in tallies:
        tallies[key] = Tally(0, tally.last_used_at)
    tallies[key].add(tally)


def locked_rows(session: Session, keys: Iterable[Key], process: UUID) -> dict[Key, Any]:
    """The process's rows of these, locked in order of their ids."""
    columns = (TokenUse.token_id, TokenUse.is_late, TokenUse.count, TokenUse.last_used_at)
    rows = session.execute(
        select(*columns, TokenUse.callers, TokenUse.batch)
        .where(
            bulk.among(session, TokenUse.token_id, {key.token_id for key in keys}),
            TokenUse.process == process,
        )
        .order_by(TokenUse.token_id, TokenUse.is_late)
        .with_for_update()
    )
    return {Key(row.token_id, row.is_late): row for row in rows}


def write(session: Session, process: UUID, number: int, tallies: dict[Key, Tally]) -> None:
    """Makes the process's rows be these, which have to be in order of their keys."""
    statement = insertion(session)
    keys = (TokenUse.token_id, TokenUse.process, TokenUse.is_late)
    columns = ("count", "last_used_at", "callers", "batch")
    given = {name: statement.excluded[name] for name in columns}
    upsert = statement.on_conflict_do_update(index_elements=keys, set_=given)
    rows = [values_of(process, number, key, tally) for key, tally in tallies.items()]
    if rows:
        session.connection().execute(upsert, rows)


def insertion(session: Session) -> Any:
    """An INSERT that may say what to do about conflicts."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(TokenUse)


def values_of(process: UUID, number: int, key: Key, tally: Tally) -> dict[str, Any]:
    """One row."""
    return {
        "token_id": key.token_id,
        "process": process,
        "is_late": key.is_late,
        "count": tally.count,
        "last_used_at": tally.last_used_at,
        "callers": [
            {**caller._asdict(), "count": seen.times, "last_used_at": seen.last_used_at.isoformat()}
            for caller, seen in top(tally.callers.items())
        ],
        "batch": number,
    }


def as_tally(row: Any) -> Tally:
    """A row as it was counted."""
    callers = {
        Caller(one["address"], one["user_agent"], one["surface"]): Seen(
            one["count"], datetime.fromisoformat(one["last_used_at"])
        )
        for one in row.callers
    }
    return Tally(row.count, row.last_used_at, callers)
