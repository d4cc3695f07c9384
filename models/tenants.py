"""The installation, its tenants, their data keys and users, and the live processes."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TopOfTenant
from models.types import Instant, Span


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
    """An isolated organisation, with the limits its admins set for rotation."""

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    smallest_interval: Mapped[timedelta] = mapped_column(Span, default=timedelta(days=30))
    smallest_grace: Mapped[timedelta] = mapped_column(Span, default=timedelta(days=1))
    max_hold: Mapped[timedelta] = mapped_column(Span, default=timedelta(days=7))
    pick_up: Mapped[timedelta] = mapped_column(Span, default=timedelta(minutes=10))
    max_live_generations: Mapped[int] = mapped_column(default=10)
    created_at: Mapped[datetime]


class WrappedKey(Base):
    """One of a tenant's data keys, wrapped by a master key."""

    __tablename__ = "data_keys"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes]
    master_key_id: Mapped[str] = mapped_column(String(12), index=True)
    created_at: Mapped[datetime]


class User(TopOfTenant, Base):
    """A person."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("tenant_id", "email"),)

    email: Mapped[str] = mapped_column(String(320))
    active: Mapped[bool] = mapped_column(default=True)
    roles: Mapped[list[str]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


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
