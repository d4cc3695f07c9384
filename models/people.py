"""People, the teams they are in, and the tokens and sessions by which they call."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant, TopOfTenant


def of_user() -> ForeignKeyConstraint:
    """A row that belongs to a person goes with them."""
    return ForeignKeyConstraint(
        ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"
    )


class User(TopOfTenant, Base):
    """A person. While not active, nothing that belongs to them works.

    `invitation` is the hash of the one-time link that was sent, until it is used or ends.
    """

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("tenant_id", "email"),
        Index("uq_users_invitation", "invitation", unique=True),
    )

    email: Mapped[str] = mapped_column(String(320))
    active: Mapped[bool] = mapped_column(default=True)
    invitation: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    invitation_until: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Team(TopOfTenant, Base):
    """A group of people, who share what is granted to it; managers decide who is in it.

    It `is_silent` if its manifest says that nobody is told of its accounts.
    """

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    name: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[dict[str, Any]]
    is_silent: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def fqn(self) -> str:
        return f"team:{self.name}"


class TeamMember(Base):
    """One person in one team. A manager is a member too."""

    __tablename__ = "team_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "team_id"], ["teams.tenant_id", "teams.id"], ondelete="CASCADE"
        ),
        of_user(),
        Index("ix_team_members_user", "user_id", "tenant_id"),
    )

    team_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_manager: Mapped[bool] = mapped_column(default=False)


class PersonalAccessToken(OfTenant, Base):
    """A person's own key: only its hash is kept. It may do what its owner may at that moment.

    `team_name` is the team that its use counts for. At `remind_at` its owner is reminded of its
    end.
    """

    __tablename__ = "personal_access_tokens"
    __table_args__ = (
        of_user(),
        Index("uq_personal_access_tokens_hash", "hash", unique=True),
        Index(
            "uq_personal_access_tokens_name",
            "user_id",
            "tenant_id",
            "name",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
            sqlite_where=text("revoked_at IS NULL"),
        ),
        Index(
            "ix_personal_access_tokens_remind",
            "remind_at",
            postgresql_where=text("remind_at IS NOT NULL"),
            sqlite_where=text("remind_at IS NOT NULL"),
        ),
    )

    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(64))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    last_four: Mapped[str] = mapped_column(String(4))
    team_name: Mapped[str | None] = mapped_column(String(64))
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    remind_at: Mapped[datetime | None]

    def revoke(self, now: datetime) -> None:
        """It works no more, and nobody is reminded of its end."""
        self.revoked_at = now
        self.remind_at = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it works while its owner is active."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
