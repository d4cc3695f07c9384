"""Identity providers whose JWTs are taken, and which audience of an issuer is whose."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant, TopOfTenant


class IdentityProvider(TopOfTenant, Base):
    """An issuer as one tenant trusts it; the manifest says everything."""

    __tablename__ = "identity_providers"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    name: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[dict[str, Any]]
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Audience(OfTenant, Base):
    """An audience of an issuer belongs to one tenant: nobody else's JWTs can be captured."""

    __tablename__ = "identity_provider_audiences"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "provider_id"],
            ["identity_providers.tenant_id", "identity_providers.id"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("issuer", "audience", name="uq_identity_provider_audiences_whose"),
        Index("ix_identity_provider_audiences_provider", "provider_id", "tenant_id"),
    )

    provider_id: Mapped[UUID]
    issuer: Mapped[str] = mapped_column(String(500))
    audience: Mapped[str] = mapped_column(String(300))
