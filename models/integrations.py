"""Where keys are written and people are told: integrations, lanes, places, targets."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.plugins import Family
from models.base import Base, OfTenant, TopOfTenant, one_of
from models.types import Name


class ProviderAccount(TopOfTenant, Base):
    """A named group of integrations at one provider, as one manifest describes it.

    `manifest` is what may be shown; the one with its credentials is sealed.
    """

    __tablename__ = "provider_accounts"
    __table_args__ = (
        Index(
            "uq_provider_accounts_name",
            "tenant_id",
            "provider",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
            sqlite_where=text("deleted_at IS NULL"),
        ),
    )

    provider: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[dict[str, Any]]
    sealed: Mapped[bytes]
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Integration(OfTenant, Base):
    """A configured sink or notifier. Its whole configuration is sealed."""

    __tablename__ = "integrations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "provider_account_id"],
            ["provider_accounts.tenant_id", "provider_accounts.id"],
        ),
        one_of("family", Family),
        Index(
            "uq_integrations_fqn",
            "tenant_id",
            "fqn",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
            sqlite_where=text("deleted_at IS NULL"),
        ),
    )

    provider_account_id: Mapped[UUID] = mapped_column(index=True)
    family: Mapped[Family] = mapped_column(Name(Family))
    kind: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(64))
    fqn: Mapped[str] = mapped_column(String(300))
    sealed: Mapped[bytes]
    rate: Mapped[float | None] = mapped_column(Float)
    authorized_subjects: Mapped[list[str]] = mapped_column(default=list)
    version: Mapped[int] = mapped_column(default=1)
    checked: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class LaneState(StrEnum):
    OPEN = "open"
    PAUSED = "paused"


class Lane(OfTenant, Base):
    """All deliveries to one destination, drained in order and within its quota.

    `wake_at` is when it is worth looking (none: nothing pending). `leased_until` and `claim`
    are the drain's lease and fence. `failures` counts transient failures in a row, for the
    breaker; `refusals` counts permanent ones in a row, for the pause. `most_in_digest` is how
    many notices its channel takes in one message.
    """

    __tablename__ = "lanes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "integration_id"], ["integrations.tenant_id", "integrations.id"]
        ),
        UniqueConstraint("integration_id", "tenant_id", "address"),
        one_of("state", LaneState),
        CheckConstraint("state = 'open' OR wake_at IS NULL", name="paused_sleeps"),
        Index(
            "ix_lanes_wake",
            "wake_at",
            postgresql_where=text("wake_at IS NOT NULL"),
            sqlite_where=text("wake_at IS NOT NULL"),
        ),
    )

    integration_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(320), default="")
    quota_key: Mapped[str | None] = mapped_column(ForeignKey("buckets.quota_key"))
    per_second: Mapped[float | None] = mapped_column(Float)
    cost: Mapped[float] = mapped_column(Float, default=1.0)
    concurrency: Mapped[int] = mapped_column(default=8)
    send_limit: Mapped[float] = mapped_column(Float, default=30.0)
    most_in_digest: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    state: Mapped[LaneState] = mapped_column(Name(LaneState), default=LaneState.OPEN)
    paused_because: Mapped[str | None] = mapped_column(String(500))
    failures: Mapped[int] = mapped_column(default=0)
    refusals: Mapped[int] = mapped_column(default=0)
    probe_at: Mapped[datetime | None]
    wake_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    claim: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(500))
    succeeded_at: Mapped[datetime | None]

    @property
    def is_broken(self) -> bool:
        """Whether the breaker is open: one probe per backoff step, the rest waits."""
        return self.probe_at is not None

    @property
    def is_troubled(self) -> bool:
        """Whether the last send failed; such lanes are drained from a queue of their own."""
        return self.failures > 0 or self.refusals > 0

    def pause(self, because: str) -> None:
        self.state = LaneState.PAUSED
        self.paused_because = because[:500]
        self.wake_at = None

    def resume(self, now: datetime) -> None:
        """Sends again from now on; what it counted against the destination is forgotten."""
        self.state = LaneState.OPEN
        self.paused_because = None
        self.failures = self.refusals = 0
        self.probe_at = None
        self.wake_at = now


class Bucket(Base):
    """One published limit, shared by all lanes with its key: a GCRA instant."""

    __tablename__ = "buckets"

    quota_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    next_at: Mapped[datetime]


class PlaceState(StrEnum):
    ACTIVE = "active"
    REMOVING = "removing"
    REMOVED = "removed"


class Place(OfTenant, Base):
    """One account's copy at one path and key of one integration.

    `revision` counts every write that should happen there; the store never goes back to a
    lower one. `layout` is how the token is laid out there; none: bare. From
    `check_at` on the store is asked what it holds; `drift` is what it held instead, if anything.
    `takes_over` names the place of a deleted account whose copy this one replaces.
    """

    __tablename__ = "places"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["virtual_accounts.tenant_id", "virtual_accounts.id"]
        ),
        ForeignKeyConstraint(
            ["tenant_id", "integration_id"], ["integrations.tenant_id", "integrations.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "lane_id"], ["lanes.tenant_id", "lanes.id"]),
        one_of("state", PlaceState),
        Index("ix_places_account", "account_id", "tenant_id"),
        Index("ix_places_lane", "lane_id"),
        Index(
            "ix_places_check",
            "check_at",
            postgresql_where=text("check_at IS NOT NULL"),
            sqlite_where=text("check_at IS NOT NULL"),
        ),
        Index(
            "ix_places_troubled",
            "tenant_id",
            postgresql_where=text(
                "state = 'active' AND (last_error IS NOT NULL OR drift IS NOT NULL)"
            ),
            sqlite_where=text("state = 'active' AND (last_error IS NOT NULL OR drift IS NOT NULL)"),
        ),
        Index(
            "uq_places_path",
            "integration_id",
            "tenant_id",
            "path",
            "key",
            unique=True,
            postgresql_where=text("state = 'active'"),
            sqlite_where=text("state = 'active'"),
        ),
    )

    account_id: Mapped[UUID]
    integration_id: Mapped[UUID]
    lane_id: Mapped[UUID]
    path: Mapped[str] = mapped_column(String(1024))
    key: Mapped[str] = mapped_column(String(256), default="")
    required: Mapped[bool] = mapped_column(default=True)
    layout: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    adopt: Mapped[bool] = mapped_column(default=False)
    keep_copy: Mapped[bool] = mapped_column(default=False)
    state: Mapped[PlaceState] = mapped_column(Name(PlaceState), default=PlaceState.ACTIVE)
    takes_over: Mapped[UUID | None]
    revision: Mapped[int] = mapped_column(default=0)
    confirmed_revision: Mapped[int] = mapped_column(default=0)
    confirmed_generation: Mapped[int] = mapped_column(default=0)
    confirmed_at: Mapped[datetime | None]
    check_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    drift: Mapped[str | None] = mapped_column(String(100))
    last_error: Mapped[str | None] = mapped_column(String(500))


class Target(OfTenant, Base):
    """Somebody to tell about one account: a recipient on a notifier's lane."""

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
    lane_id: Mapped[UUID]
    address: Mapped[str] = mapped_column(String(320), default="")
