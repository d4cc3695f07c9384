"""Column types for migrations, which must not change when the models do."""

from typing import Any, Literal

import sqlalchemy as sa

from models.types import Instant, Name, Span


def instant() -> sa.types.TypeEngine[Any]:
    """A moment: `timestamptz` on PostgreSQL, integer microseconds on SQLite."""
    return sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def render(item: Any) -> str | Literal[False]:
    """How a new migration writes our types; False leaves the type to Alembic."""
    if isinstance(item, Instant):
        return "instant()"
    if isinstance(item, Span):
        return "sa.BigInteger()"
    if isinstance(item, Name):
        return "sa.String(40)"
    return False
