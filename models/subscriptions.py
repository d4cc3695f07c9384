"""Who is told of what: the targets of accounts, and those of teams and tenants for the rest."""

from uuid import UUID

from sqlalchemy import (
    JSON,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant, TopOfTenant


class _Subscription:
    """A recipient on a notifier's lane, its place in its list, and what it is told.

    Without `events` it is told all; `timezone` is where it reads.
    """

    lane_id: Mapped[UUID]
    address: Mapped[str] = mapped_column(String(320), default="")
    position: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    events: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    minimum_severity: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    timezone: Mapped[str] = mapped_column(String(64), default="UTC", server_default=text("'UTC'"))


class Target(_Subscription, OfTenant, Base):
    """Somebody to tell about one account."""

    __tablename__ = "targets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["virtual_accounts.tenant_id", "virtual_accounts.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "lane_id"], ["lanes.tenant_id", "lanes.id"]),
        UniqueConstraint("account_id", "tenant_id", "lane_id", "address"),
        Index("ix_targets_lane", "lane_id"),
    )

    account_id: Mapped[UUID]


class DefaultTarget(_Subscription, TopOfTenant, Base):
    """Somebody to tell about the accounts of one team, or (without one) of the whole tenant."""

    __tablename__ = "default_targets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "team_id"], ["teams.tenant_id", "teams.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["tenant_id", "lane_id"], ["lanes.tenant_id", "lanes.id"]),
        Index(
            "uq_default_targets_of_team",
            "team_id",
            "tenant_id",
            "lane_id",
            "address",
            unique=True,
            postgresql_where=text("team_id IS NOT NULL"),
            sqlite_where=text("team_id IS NOT NULL"),
        ),
        Index(
            "uq_default_targets_of_tenant",
            "tenant_id",
            "lane_id",
            "address",
            unique=True,
            postgresql_where=text("team_id IS NULL"),
            sqlite_where=text("team_id IS NULL"),
        ),
        Index("ix_default_targets_lane", "lane_id"),
    )

    team_id: Mapped[UUID | None]
