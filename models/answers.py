"""Answers that are kept for repeats of the same call."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant


class KeptAnswer(OfTenant, Base):
    """The first answer to a call that mints, sealed, for repeats under the same key."""

    __tablename__ = "kept_answers"
    __table_args__ = (
        UniqueConstraint("caller_id", "tenant_id", "call", "key"),
        Index("ix_kept_answers_created_at", "created_at"),
    )

    caller_id: Mapped[UUID]
    call: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(200))
    body_hash: Mapped[bytes]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime]
