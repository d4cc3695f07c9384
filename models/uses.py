"""Uses of tokens: how often, when last, and by whom; gathered in memory, written in batches."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base

ENDED_PROCESSES = UUID(int=0)  # what processes that are no more have counted together


class TokenUse(Base):
    """What one process counted of one token; of an account too, under the account's own id.

    Uses after the token's successor was there are a row of their own (`is_late`). Nothing refers
    to tokens or locks them: rotation never waits for this. `batch` is the last one that the
    process added, so that none is added twice.
    """

    __tablename__ = "token_uses"
    __table_args__ = (
        Index("ix_token_uses_process", "process", "token_id"),
        Index(
            "ix_token_uses_late",
            "last_used_at",
            postgresql_where=text("is_late"),
            sqlite_where=text("is_late"),
        ),
    )

    token_id: Mapped[UUID] = mapped_column(primary_key=True)
    process: Mapped[UUID] = mapped_column(primary_key=True)
    is_late: Mapped[bool] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    last_used_at: Mapped[datetime]
    callers: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    batch: Mapped[int]
