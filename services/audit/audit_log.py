"""Reading the audit log: pages of it, and all of it as a stream."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select

from core.actors import Actor
from models import AuditChain, AuditRow
from services.audit.audit_chain import BATCH, chain_batch, record_of, rows_of
from services.runtime import Runtime
from services.watching.looking_back import Mark, Page, edge_of, page_of

_CHAINED_FIRST = 10  # batches
_PARTS = 3  # who did it is looked for in JSON, which takes its time


@dataclass(frozen=True)
class Wanted:
    """Which rows. An empty filter lets every row through.

    `action` is a whole one or what stands before its dot. `subject` and `actor` are a name, an
    id, or `<type>:<name>`.
    """

    action: str = ""
    subject: str = ""
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def clauses(self) -> Iterator[ColumnElement[bool]]:
        if self.action:
            below = AuditRow.action.startswith(f"{self.action}.", autoescape=True)
            yield or_(AuditRow.action == self.action, below)
        if self.subject:
            yield self._of_subject()
        if self.actor:
            name, kind = AuditRow.actor["name"].as_string(), AuditRow.actor["kind"].as_string()
            own_id = AuditRow.actor["id"].as_string()
            yield or_(
                name == self.actor,
                own_id == self.actor,
                kind.concat(":").concat(name) == self.actor,
            )
        if self.since is not None:
            yield AuditRow.at >= self.since
        if self.until is not None:
            yield AuditRow.at < self.until

    def _of_subject(self) -> ColumnElement[bool]:
        kind, colon, name = self.subject.partition(":")
        ways = [AuditRow.subject_name == self.subject]
        if colon:
            ways.append((AuditRow.subject_type == kind) & (AuditRow.subject_name == name))
        with suppress(ValueError):
            ways.append(AuditRow.subject_id == UUID(self.subject))
        return or_(*ways)


def list_audit(
    runtime: Runtime,
    actor: Actor,
    wanted: Wanted,
    *,
    limit: int,
    offset: int = 0,
    after: int | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """A page, the newest first, and how many rows are wanted in all.

    Rows that are not chained yet come first. `after` goes on behind the row of that number.
    """
    actor.demand_admin()
    matching = rows_of(actor.tenant_id).where(*wanted.clauses())
    page = matching.order_by(
        AuditRow.number.desc().nulls_first(), AuditRow.at.desc(), AuditRow.id.desc()
    )
    if after is not None:
        page = page.where(AuditRow.number < after)
    with runtime.database.reading() as session:
        total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        rows = session.execute(page.limit(limit).offset(offset)).all()
    return [_shown(row) for row in rows], total


def look_back(
    runtime: Runtime, actor: Actor, wanted: Wanted, *, before: Mark | None, limit: int
) -> Page[dict[str, Any]]:
    """A page behind `before`, the newest first, found without counting; two queries."""
    actor.demand_admin()
    scope: list[ColumnElement[bool]] = [AuditRow.tenant_id == actor.tenant_id]
    if before is not None:
        scope.append(before.older(AuditRow.at, AuditRow.id))
    narrow = list(wanted.clauses())
    with runtime.database.reading() as session:
        edge = edge_of(session, AuditRow.at, scope, parts=_PARTS) if narrow else None
        if edge is not None:
            scope.append(AuditRow.at >= edge)
        rows = session.execute(
            rows_of(actor.tenant_id)
            .where(*scope, *narrow)
            .order_by(AuditRow.at.desc(), AuditRow.id.desc())
            .limit(limit + 1)
        ).all()
    last = rows[:limit][-1] if rows else None
    return page_of(
        [_shown(row) for row in rows], limit, Mark(last.at, last.id) if last else None, edge
    )


def export_audit(
    runtime: Runtime, actor: Actor, wanted: Wanted, *, after: int = 0, batch: int = BATCH
) -> Iterator[list[dict[str, Any]]]:
    """The chained rows behind number `after`, the oldest first, in batches.

    What is committed is chained first. No transaction is open between two batches; rows that
    are chained after the call are left to the next export, which goes on behind the last number.
    """
    actor.demand_admin()
    for _ in range(_CHAINED_FIRST):
        if chain_batch(runtime, actor.tenant_id) < BATCH:
            break
    with runtime.database.reading() as session:
        head = session.scalar(
            select(AuditChain.number).where(AuditChain.tenant_id == actor.tenant_id)
        )
    matching = rows_of(actor.tenant_id).where(*wanted.clauses(), AuditRow.number <= (head or 0))
    return _batches(runtime, matching, after, batch)


def _batches(
    runtime: Runtime, matching: Select[Any], after: int, batch: int
) -> Iterator[list[dict[str, Any]]]:
    while True:
        page = matching.where(AuditRow.number > after).order_by(AuditRow.number).limit(batch)
        with runtime.database.reading() as session:
            rows = session.execute(page).all()
        if rows:
            yield [_shown(row) for row in rows]
        if len(rows) < batch:
            return
        after = rows[-1].number


def _shown(row: Any) -> dict[str, Any]:
    chained = {"number": row.number, "hash": row.hash.hex() if row.hash else None}
    return {**chained, **record_of(row)}
