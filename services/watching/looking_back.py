"""Looking back in time, a page at once, within bounds: for what grows for ever and is filtered.

A page is found by the moment where the one before ended, never by counting from the start. What
no index can narrow is looked for among the newest `WINDOW` rows only; the page then says from
where to look further back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

WINDOW = 10_000

Item = TypeVar("Item")

_FIRST = UUID(int=0)


@dataclass(frozen=True)
class Mark:
    """Where a page ended: what follows is older, or as old and of a smaller id."""

    at: datetime
    id: UUID = _FIRST

    @classmethod
    def read(cls, text: str) -> Self | None:
        """As `str` wrote it; None for anything else."""
        moment, _, row_id = text.partition("_")
        try:
            at = datetime.fromisoformat(moment)
            return cls(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC), UUID(row_id))
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}_{self.id}"

    def older(self, at: Any, row_id: Any) -> ColumnElement[bool]:
        """What follows it, as a condition that the index of `at` narrows."""
        return and_(at <= self.at, or_(at < self.at, row_id < self.id))


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some of what there is, the newest first.

    `older` is where to go on, if there may be more; `is_partial`: the page ended there only
    because it had looked at enough.
    """

    items: Sequence[Item]
    older: Mark | None = None
    is_partial: bool = False


def edge_of(
    session: Session, at: Any, scope: Sequence[ColumnElement[bool]], *, parts: int = 1
) -> datetime | None:
    """The moment of the oldest row that is looked at; None if all of them are.

    Where a row takes more time than usual, only one in `parts` of the usual number is.
    """
    oldest: datetime | None = session.scalar(
        select(at).where(*scope).order_by(at.desc()).offset(WINDOW // parts - 1).limit(1)
    )
    return oldest


def page_of(
    found: Sequence[Item], limit: int, last: Mark | None, edge: datetime | None
) -> Page[Item]:
    """The page of what was found, of which one more than `limit` was asked for.

    `last` is the mark of the last one that is shown.
    """
    if len(found) > limit:
        return Page(found[:limit], last)
    if edge is not None:
        return Page(found, Mark(edge), is_partial=True)
    return Page(found)
