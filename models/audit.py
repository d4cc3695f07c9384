"""Who did what to what: one row per change, written in the change's own commit.

A use case writes its row unchained, so that changes do not wait for each other; soon after, one
task per tenant numbers the committed rows and chains each to the one before by a hash.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant

# What the first row of a chain is chained to.
GENESIS = bytes(32)


class AuditRow(OfTenant, Base):
    """One change. Never holds a token or a credential."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_at", "tenant_id", "at"),
        Index("uq_audit_number", "tenant_id", "number", unique=True),
        Index(
            "ix_audit_unchained",
            "tenant_id",
            "at",
            postgresql_where=text("number IS NULL"),
            sqlite_where=text("number IS NULL"),
        ),
    )

    at: Mapped[datetime]
    actor: Mapped[dict[str, Any]]
    action: Mapped[str] = mapped_column(String(80))
    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[UUID | None]
    subject_name: Mapped[str] = mapped_column(String(320))
    detail: Mapped[dict[str, Any]]
    number: Mapped[int | None] = mapped_column(BigInteger)
    hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))


class AuditChain(Base):
    """A tenant's chain: its head, and the anchor that pruned rows leave behind.

    The row is the lock of whoever chains.
    """

    __tablename__ = "audit_chains"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, default=0)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), default=GENESIS)
    anchor_number: Mapped[int] = mapped_column(BigInteger, default=0)
    anchor_hash: Mapped[bytes] = mapped_column(LargeBinary(32), default=GENESIS)
