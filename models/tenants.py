"""The installation, its tenants, their data keys, and the live processes."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.leaks import OnLeak
from models.base import Base
from models.types import Instant, Name, Span


class Installation(Base):
    """One row: this installation's epoch, and whether its clock may be trusted.

    The epoch is part of every mark in a store; recovering from a restored database
    raises it, so that what is written afterwards wins over what the database forgot.
    """

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    epoch: Mapped[int] = mapped_column(default=1)
    clock_distrusted_until: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Tenant(Base):
    """An isolated organisation, with the limits its admins set for keys and sessions.

    `notification_targets` are told of accounts for which nobody else is, as they were given;
    `on_leak` is what happens to a token that is reported as leaked.
    """

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    smallest_interval: Mapped[timedelta] = mapped_column(Span, default=timedelta(days=30))
    smallest_grace: Mapped[timedelta] = mapped_column(Span, default=timedelta(days=1))
    max_hold: Mapped[timedelta] = mapped_column(Span, default=timedelta(days=7))
    pick_up: Mapped[timedelta] = mapped_column(Span, default=timedelta(minutes=10))
    max_live_generations: Mapped[int] = mapped_column(default=10)
    default_grace: Mapped[timedelta] = mapped_column(Span, default=timedelta(days=30))
    pat_longest_life: Mapped[timedelta | None] = mapped_column(Span)
    pat_most_per_user: Mapped[int | None]
    jwt_algorithm: Mapped[str] = mapped_column(String(20), default="EdDSA", server_default="EdDSA")
    session_length: Mapped[timedelta] = mapped_column(Span, default=timedelta(hours=12))
    on_leak: Mapped[OnLeak] = mapped_column(
        Name(OnLeak), default=OnLeak.REVOKE, server_default=OnLeak.REVOKE.value
    )
    notification_targets: Mapped[list[dict[str, Any]]] = mapped_column(
        JSON, default=list, server_default=text("'[]'")
    )
    created_at: Mapped[datetime]


class WrappedKey(Base):
    """One of a tenant's data keys, wrapped by a master key."""

    __tablename__ = "data_keys"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes]
    master_key_id: Mapped[str] = mapped_column(String(12), index=True)
    created_at: Mapped[datetime]


class Process(Base):
    """A live process of this installation; its row is renewed while it lives.

    `ticked_at` is when it last heard a tick of beat; one hears what others do not.
    """

    __tablename__ = "processes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    host: Mapped[str] = mapped_column(String(255))
    master_key_ids: Mapped[list[str]]
    started_at: Mapped[datetime]
    ticked_at: Mapped[datetime | None]
    seen_at: Mapped[datetime] = mapped_column(Instant, index=True)
