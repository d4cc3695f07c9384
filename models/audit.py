"""Who did what to what: one row per change, written in the change's own commit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant


class AuditRow(OfTenant, Base):
    """One change. Never holds a token or a credential."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "tenant_id", "at"),)

    at: Mapped[datetime]
    actor: Mapped[dict[str, Any]]
    action: Mapped[str] = mapped_column(String(80))
    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[UUID | None]
    subject_name: Mapped[str] = mapped_column(String(320))
    detail: Mapped[dict[str, Any]]
