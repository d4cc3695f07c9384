"""Login sessions of people, and the device logins that wait to become one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant, TopOfTenant
from models.people import of_user


def _of_personal_token() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "personal_access_token_id"],
        ["personal_access_tokens.tenant_id", "personal_access_tokens.id"],
        ondelete="CASCADE",
    )


class LoginSession(OfTenant, Base):
    """A person's login, at a client or the console. One made from a token ends with the token."""

    __tablename__ = "sessions"
    __table_args__ = (
        of_user(),
        _of_personal_token(),
        Index("uq_sessions_hash", "hash", unique=True),
        Index("ix_sessions_expires_at", "expires_at"),
        Index("ix_sessions_user", "user_id", "tenant_id"),
    )

    user_id: Mapped[UUID]
    personal_access_token_id: Mapped[UUID | None]
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class DeviceLogin(TopOfTenant, Base):
    """A login that waits for its user's word, given elsewhere under a short code."""

    __tablename__ = "device_logins"
    __table_args__ = (
        of_user(),
        _of_personal_token(),
        Index("uq_device_logins_device", "device_hash", unique=True),
        Index("uq_device_logins_user_code", "tenant_id", "user_code", unique=True),
        Index("ix_device_logins_expires_at", "expires_at"),
        CheckConstraint("(approved_at IS NULL) = (user_id IS NULL)", name="approved_by_somebody"),
    )

    user_code: Mapped[str] = mapped_column(String(16))
    device_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    user_id: Mapped[UUID | None]
    personal_access_token_id: Mapped[UUID | None]
    approved_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
