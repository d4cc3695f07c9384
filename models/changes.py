"""What verifiers have to hear: a row for each change after which a kept answer may be wrong."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.expression import ColumnElement

from models.base import Base
from models.types import identity


class ThisTransaction(ColumnElement[int]):
    """The number of the writing transaction, on PostgreSQL; nothing elsewhere."""

    inherit_cache = True
    type = BigInteger()


@compiles(ThisTransaction)
def _nothing(_element: ThisTransaction, _compiler: Any, **_options: Any) -> str:
    return "NULL"


@compiles(ThisTransaction, "postgresql")
def _number(_element: ThisTransaction, _compiler: Any, **_options: Any) -> str:
    return "((pg_current_xact_id())::text)::bigint"


class Change(Base):
    """Something about a token, an account, a person or a whole tenant; written in its commit.

    `xid` is the transaction that wrote it: ids are given out before commits, so a reader that
    goes by id misses what commits late. On SQLite writers take turns and ids are enough; they
    are never used twice, though old rows go.
    """

    __tablename__ = "changes"
    __table_args__ = (
        Index("ix_changes_xid", "xid"),
        Index("ix_changes_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(identity(), primary_key=True)
    xid: Mapped[int | None] = mapped_column(BigInteger, server_default=ThisTransaction())
    tenant_id: Mapped[UUID]
    subject: Mapped[UUID]
    at: Mapped[datetime]
