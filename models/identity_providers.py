"""Identity providers whose JWTs are taken, whose each audience is, and who logs in by them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant, TopOfTenant


class IdentityProvider(TopOfTenant, Base):
    """An issuer as one tenant trusts it; the manifest says everything but the client's secret."""

    __tablename__ = "identity_providers"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    name: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[dict[str, Any]]
    sealed: Mapped[bytes | None]
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def has_secret(self) -> bool:
        """Whether the manifest gave one for the client that people log in by."""
        return bool((self.manifest.get("sign_in") or {}).get("client_secret"))


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


class SignIn(OfTenant, Base):
    """Somebody who went to an identity provider to log in, and is expected back once.

    `hash` is of the state that goes along; all else is made of what the browser alone keeps.
    """

    __tablename__ = "sign_ins"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "provider_id"],
            ["identity_providers.tenant_id", "identity_providers.id"],
            ondelete="CASCADE",
        ),
        Index("uq_sign_ins_hash", "hash", unique=True),
        Index("ix_sign_ins_expires_at", "expires_at"),
        Index("ix_sign_ins_provider", "provider_id", "tenant_id"),
    )

    provider_id: Mapped[UUID]
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    redirect_uri: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
