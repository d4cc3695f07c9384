"""The outbox: events, and one delivery per event and destination."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.events import EventType
from models.base import Base, OfTenant, one_of
from models.types import Name


class Event(OfTenant, Base):
    """A fact that happened, kept with what was known then."""

    __tablename__ = "events"
    __table_args__ = (
        one_of("type", EventType),
        Index("ix_events_at", "at"),
        Index("ix_events_tenant", "tenant_id", "at"),
        # Few are worse than a note; whoever looks for them need not read the others.
        Index(
            "ix_events_severe",
            "tenant_id",
            "at",
            postgresql_where=text("severity > 0"),
            sqlite_where=text("severity > 0"),
        ),
        Index("ix_events_account", "account_id", "at"),
    )

    type: Mapped[EventType] = mapped_column(Name(EventType))
    severity: Mapped[int] = mapped_column(SmallInteger)
    account_id: Mapped[UUID | None]
    lane_id: Mapped[UUID | None]
    at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]


class Action(StrEnum):
    """What a delivery does: write a copy, remove one, see what is there, or tell somebody."""

    PUT = "put"
    REMOVE = "remove"
    CHECK = "check"
    NOTICE = "notice"


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    DONE = "done"
    SUPERSEDED = "superseded"
    FAILED = "failed"


OPEN = frozenset({DeliveryState.PENDING, DeliveryState.SENDING})


class Priority(IntEnum):
    """The order of claims within a lane."""

    BREAK_GLASS = 0
    MANUAL = 1
    SCHEDULED = 2
    REPAIR = 3


class Delivery(OfTenant, Base):
    """One event for one destination, with its due time.

    `claim` is the fence and only ever counts up; `failures` is for backoff and a resume
    resets it. `document` is the physical thing in a store that a send changes: at most one
    send per document is under way. What a retry sends is fixed by `revision` and `generation`
    here and by the event's facts, so it is the same. A notice that was claimed once bears a
    `digest_id`: those that bear the same one are one message, also when it is sent again. Its
    times are told in `timezone` (none: UTC), and it knows `facts` beside those of the event. It was
    `passed_on` once somebody else heard of it, since its channel is dead.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "event_id"], ["events.tenant_id", "events.id"]),
        ForeignKeyConstraint(["tenant_id", "lane_id"], ["lanes.tenant_id", "lanes.id"]),
        ForeignKeyConstraint(["tenant_id", "place_id"], ["places.tenant_id", "places.id"]),
        UniqueConstraint("event_id", "destination"),
        one_of("action", Action),
        one_of("state", DeliveryState),
        Index(
            "uq_deliveries_one_sending",
            "lane_id",
            "document",
            unique=True,
            postgresql_where=text("state = 'sending' AND document IS NOT NULL"),
            sqlite_where=text("state = 'sending' AND document IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_pending",
            "lane_id",
            "priority",
            "due_at",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
        Index(
            "ix_deliveries_sending",
            "lane_id",
            "leased_until",
            postgresql_where=text("state = 'sending'"),
            sqlite_where=text("state = 'sending'"),
        ),
        Index(
            "ix_deliveries_place",
            "place_id",
            postgresql_where=text("state = 'pending' AND place_id IS NOT NULL"),
            sqlite_where=text("state = 'pending' AND place_id IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_recipient",
            "lane_id",
            "destination",
            postgresql_where=text("state = 'pending' AND address IS NOT NULL"),
            sqlite_where=text("state = 'pending' AND address IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_digest",
            "digest_id",
            postgresql_where=text("state IN ('pending', 'sending') AND digest_id IS NOT NULL"),
            sqlite_where=text("state IN ('pending', 'sending') AND digest_id IS NOT NULL"),
        ),
        Index("ix_deliveries_account", "account_id", "created_at"),
        Index(
            "ix_deliveries_failed",
            "tenant_id",
            "settled_at",
            postgresql_where=text("state = 'failed'"),
            sqlite_where=text("state = 'failed'"),
        ),
        Index(
            "ix_deliveries_settled",
            "settled_at",
            postgresql_where=text("settled_at IS NOT NULL"),
            sqlite_where=text("settled_at IS NOT NULL"),
        ),
        {
            # Rows are updated a few times each and then only pruned.
            "postgresql_with": {
                "fillfactor": 80,
                "autovacuum_vacuum_scale_factor": 0.02,
            }
        },
    )

    event_id: Mapped[UUID]
    lane_id: Mapped[UUID]
    destination: Mapped[UUID]
    account_id: Mapped[UUID | None]
    place_id: Mapped[UUID | None]
    action: Mapped[Action] = mapped_column(Name(Action))
    document: Mapped[str | None] = mapped_column(String(1024))
    address: Mapped[str | None] = mapped_column(String(320))
    digest_id: Mapped[UUID | None]
    revision: Mapped[int] = mapped_column(default=0)
    generation: Mapped[int] = mapped_column(default=0)
    priority: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[DeliveryState] = mapped_column(
        Name(DeliveryState), default=DeliveryState.PENDING, server_default=text("'pending'")
    )
    due_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    claim: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    failures: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    timezone: Mapped[str | None] = mapped_column(String(64))
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    passed_on: Mapped[bool] = mapped_column(default=False, server_default=false())


class Attempt(Base):
    """A send that did not get through, and what was said about it; it goes with its delivery.

    `claim` is the delivery's at that moment. Of each delivery the newest few are kept.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "delivery_id"],
            ["deliveries.tenant_id", "deliveries.id"],
            ondelete="CASCADE",
        ),
    )

    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    claim: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    result: Mapped[str] = mapped_column(String(30))
    error: Mapped[str | None] = mapped_column(String(500))
