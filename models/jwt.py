"""What JWTs are signed with, and the short-lived tokens that those of others are traded for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant, TopOfTenant


class SigningKey(TopOfTenant, Base):
    """One of a tenant's key pairs: published at once, signing from `signs_from` until a newer does.

    The row stays as long as a token that it signed may be verified; the private half goes as
    soon as it signs no more.
    """

    __tablename__ = "signing_keys"
    __table_args__ = (Index("uq_signing_keys_kid", "kid", unique=True),)

    kid: Mapped[str] = mapped_column(String(43))
    algorithm: Mapped[str] = mapped_column(String(20))
    public: Mapped[dict[str, Any]]
    sealed: Mapped[bytes | None]
    created_at: Mapped[datetime]
    signs_from: Mapped[datetime]


class ExchangedToken(OfTenant, Base):
    """A short-lived token for a workload's JWT: bound to an account, and to why it is that.

    It works while the account is active and the mapping by which it was made stands.
    """

    __tablename__ = "exchanged_tokens"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["virtual_accounts.tenant_id", "virtual_accounts.id"]
        ),
        Index("uq_exchanged_tokens_hash", "hash", unique=True),
        Index("ix_exchanged_tokens_account", "account_id", "tenant_id"),
        Index("ix_exchanged_tokens_expires_at", "expires_at"),
    )

    account_id: Mapped[UUID]
    mapping_id: Mapped[UUID]
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    last_four: Mapped[str] = mapped_column(String(4))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
