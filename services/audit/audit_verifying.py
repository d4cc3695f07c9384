"""Verifies the audit log's chain: walks it in batches and names the first thing that is wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from models import AuditChain, AuditRow
from models.audit import GENESIS
from services.audit.audit_chain import BATCH, hash_of, rows_of
from services.runtime import Runtime

# What reading a row raises whose columns no longer hold what they should.
_UNREADABLE = (ValueError, TypeError, OverflowError, AttributeError)


class Problem(StrEnum):
    """What can be wrong with a chain."""

    CHANGED = "changed"
    MISSING = "missing"
    HEAD = "head"
    STRAY = "stray"


_WORDS = {
    Problem.CHANGED: "Row {number} is not what was chained.",
    Problem.MISSING: "Row {number} is missing.",
    Problem.HEAD: "The last row is not the one that the chain ends with, {number}.",
    Problem.STRAY: "Row {number} stands before the rows that the chain begins with.",
}


@dataclass(frozen=True)
class Verdict:
    """What a walk has found so far; `number` is of the first row that is wrong.

    The chain begins after its anchor, the last row that was pruned, and ends with its head.
    """

    anchor_number: int
    anchor_hash: bytes
    head_number: int
    head_hash: bytes
    unchained: int
    checked: int = 0
    problem: Problem | None = None
    number: int | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None

    @property
    def total(self) -> int:
        """How many chained rows there should be."""
        return max(self.head_number - self.anchor_number, 0)

    @property
    def said(self) -> str:
        """What is wrong, or what is right, in a sentence."""
        if self.problem is not None:
            return _WORDS[self.problem].format(number=self.number)
        return f"The chain is whole: {self.checked} rows, up to number {self.head_number}."

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "ok": self.ok,
            "message": self.said,
            "problem": self.problem,
            "number": self.number,
            "checked": self.checked,
            "unchained": self.unchained,
            "anchor": {"number": self.anchor_number, "hash": self.anchor_hash.hex()},
            "head": {"number": self.head_number, "hash": self.head_hash.hex()},
        }


def verify_chain(runtime: Runtime, actor: Actor, *, batch: int = BATCH) -> Iterator[Verdict]:
    """Yields the verdict as the walk goes on, once a batch; the last one is whole.

    The head is read first: rows that are chained meanwhile are not looked at. Rows may be
    pruned meanwhile: the walk then goes on from the new anchor.
    """
    actor.demand_admin()
    tenant_id = actor.tenant_id
    with runtime.database.reading() as session:
        verdict, oldest, newest = _begin(session, tenant_id)
    number, last = verdict.anchor_number, verdict.anchor_hash
    while number < verdict.head_number:
        with runtime.database.reading() as session:
            rows = _read(session, tenant_id, number, verdict.head_number, batch)
            good, last = good_rows(rows, number, last)
            number += good
            whole = bool(rows) and good == len(rows)
            verdict = replace(verdict, checked=verdict.checked + good)
            if not whole:
                anchor = session.get(AuditChain, tenant_id)
                if anchor is None or anchor.anchor_number <= number:
                    yield _broken(verdict, rows[good:], number)
                    return
                number, last = anchor.anchor_number, anchor.anchor_hash
        yield verdict
    other_end = number == verdict.head_number and last != verdict.head_hash
    if oldest is not None and oldest <= verdict.anchor_number:
        yield replace(verdict, problem=Problem.STRAY, number=oldest)
    elif other_end or (newest is not None and newest > verdict.head_number):
        yield replace(verdict, problem=Problem.HEAD, number=verdict.head_number)
    else:
        yield verdict


def check_chain(runtime: Runtime, actor: Actor) -> Verdict:
    """The whole walk at once."""
    for verdict in verify_chain(runtime, actor):
        last = verdict
    return last


def good_rows(rows: Sequence[Any], number: int, last: bytes) -> tuple[int, bytes]:
    """How many of these rows follow row `number`, whose hash is `last`; and the hash then."""
    for good, row in enumerate(rows):
        number += 1
        if row is None or row.number != number or row.hash != hash_of(last, number, row):
            return good, last
        last = row.hash
    return len(rows), last


def _begin(session: Session, tenant_id: UUID) -> tuple[Verdict, int | None, int | None]:
    """Head, first and last number of one moment: one statement sees them all."""
    mine = AuditRow.tenant_id == tenant_id
    oldest_one, newest_one = func.min(AuditRow.number), func.max(AuditRow.number)
    ends = select(oldest_one.label("oldest"), newest_one.label("newest")).where(mine).subquery()
    oldest, newest, chain = session.execute(
        select(ends.c.oldest, ends.c.newest, AuditChain).outerjoin(
            AuditChain, AuditChain.tenant_id == tenant_id
        )
    ).one()
    unchained = session.scalar(select(func.count()).where(mine, AuditRow.number.is_(None)))
    if chain is None:
        return Verdict(0, GENESIS, 0, GENESIS, unchained or 0), oldest, newest
    verdict = Verdict(
        chain.anchor_number, chain.anchor_hash, chain.number, chain.hash, unchained or 0
    )
    return verdict, oldest, newest


def _read(session: Session, tenant_id: UUID, after: int, upto: int, limit: int) -> Sequence[Any]:
    """The next rows by number. One that cannot even be read is None, the last of them."""
    wanted = rows_of(tenant_id).where(AuditRow.number > after, AuditRow.number <= upto)
    ordered = wanted.order_by(AuditRow.number)
    try:
        return session.execute(ordered.limit(limit)).all()
    except _UNREADABLE:
        rows: list[Any] = []
    for place in range(limit):
        try:
            rows += session.execute(ordered.limit(1).offset(place)).all()
        except _UNREADABLE:
            return [*rows, None]
    return rows


def _broken(verdict: Verdict, rest: Sequence[Any], number: int) -> Verdict:
    """`rest` begins with the row that does not follow row `number`; empty if none is there."""
    if not rest:
        return replace(verdict, problem=Problem.HEAD, number=verdict.head_number)
    missing = rest[0] is not None and rest[0].number != number + 1
    problem = Problem.MISSING if missing else Problem.CHANGED
    return replace(verdict, problem=problem, number=number + 1)
