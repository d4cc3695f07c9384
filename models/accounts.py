"""Virtual accounts: the machines whose keys are turned."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    String,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.policy import Policy
from core.reminders import BEFORE_EXPIRY, Coming, befores, next_reminder
from models.base import Base, TopOfTenant, one_of
from models.types import Name, Span


class AccountState(StrEnum):
    """`suspended`: every token was revoked; the next regenerate brings it back."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class TokenType(StrEnum):
    """What the next token will be."""

    OPAQUE = "opaque"
    JWT = "jwt"


class VirtualAccount(TopOfTenant, Base):
    """A non-user identity. Its row is the lock over all that belongs to it (law 14).

    `next_rotation_at` is the due moment by the policy. `due_at` is when the engine looks
    at the account next: the same moment, or later while it waits or backs off; none while
    it is paused, suspended or deleted. `jwt_expires_at` is the `exp` of its current token, if
    that is a JWT; by `turn_by` its key is turned, whatever else would put that off.

    At `remind_at` people are reminded of its next rotation or of its end, whichever is nearer.
    `notify_before` are the seconds before a rotation, if it is not done as usual. It `is_silent`
    if its manifest says that nobody is told.
    """

    __tablename__ = "virtual_accounts"
    __table_args__ = (
        one_of("state", AccountState),
        CheckConstraint("due_at IS NULL OR state = 'active'", name="due_only_while_active"),
        CheckConstraint(
            "rotation_interval IS NULL OR rotation_schedule IS NULL", name="one_rotation_policy"
        ),
        # An account always has the token of its newest generation; checked at commit, since
        # the two rows refer to each other.
        ForeignKeyConstraint(
            ["tenant_id", "id", "generation"],
            ["tokens.tenant_id", "tokens.account_id", "tokens.generation"],
            name="fk_virtual_accounts_newest_token",
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
        ForeignKeyConstraint(["tenant_id", "team_id"], ["teams.tenant_id", "teams.id"]),
        Index("ix_virtual_accounts_team", "team_id", "tenant_id"),
        Index(
            "uq_virtual_accounts_name",
            "tenant_id",
            "name",
            unique=True,
            postgresql_where=text("state <> 'deleted'"),
            sqlite_where=text("state <> 'deleted'"),
        ),
        # The calendar is counted from it alone, and what is due next is its beginning.
        Index(
            "ix_virtual_accounts_calendar",
            "tenant_id",
            "next_rotation_at",
            "rotation_interval",
            "rotation_schedule",
            "timezone",
            "expires_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "ix_virtual_accounts_troubled",
            "tenant_id",
            postgresql_where=text("rotation_failures > 0 OR waiting_since IS NOT NULL"),
            sqlite_where=text("rotation_failures > 0 OR waiting_since IS NOT NULL"),
        ),
        Index(
            "ix_virtual_accounts_due",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "ix_virtual_accounts_remind",
            "remind_at",
            postgresql_where=text("remind_at IS NOT NULL"),
            sqlite_where=text("remind_at IS NOT NULL"),
        ),
    )

    name: Mapped[str] = mapped_column(String(64))
    state: Mapped[AccountState] = mapped_column(Name(AccountState), default=AccountState.ACTIVE)
    manifest: Mapped[dict[str, Any]]
    created_by: Mapped[dict[str, Any]]
    team_id: Mapped[UUID | None]
    is_silent: Mapped[bool] = mapped_column(default=False, server_default=false())
    generation: Mapped[int] = mapped_column(default=1)

    rotation_interval: Mapped[timedelta | None] = mapped_column(Span)
    rotation_schedule: Mapped[str | None] = mapped_column(String(200))
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    spread: Mapped[timedelta] = mapped_column(Span, default=timedelta(0))
    grace: Mapped[timedelta] = mapped_column(Span)
    max_hold: Mapped[timedelta] = mapped_column(Span)
    expires_at: Mapped[datetime | None]

    token_type: Mapped[TokenType] = mapped_column(
        Name(TokenType), default=TokenType.OPAQUE, server_default=TokenType.OPAQUE.value
    )
    jwt_expires_at: Mapped[datetime | None]

    rotated_at: Mapped[datetime]
    next_rotation_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    rotation_failures: Mapped[int] = mapped_column(default=0)
    paused_at: Mapped[datetime | None]
    notify_before: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    remind_at: Mapped[datetime | None]

    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    @property
    def fqn(self) -> str:
        return f"virtualaccount:{self.name}"

    @property
    def policy(self) -> Policy | None:
        """How this account rotates; None if only by hand."""
        return policy_of(self)

    @property
    def is_mapped(self) -> bool:
        """Whether it calls with an identity provider's JWTs: it has no token of its own."""
        return bool(self.manifest.get("identity_provider_mapping"))

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def is_working(self, now: datetime) -> bool:
        """Whether anything of it may work."""
        return self.state is AccountState.ACTIVE and not self.is_expired(now)

    @property
    def turn_by(self) -> datetime | None:
        """When the key is turned at the latest; None if nothing presses."""
        return turn_by(self, self.jwt_expires_at)

    @property
    def turns_at(self) -> datetime | None:
        """When its key is turned by itself; None if it is not."""
        if self.state is not AccountState.ACTIVE:
            return None
        return self.next_rotation_at if self.paused_at is None else self.turn_by

    @property
    def comings(self) -> tuple[Coming, Coming]:
        """What people are reminded of: its next rotation, and its end."""
        ends_at = self.expires_at if self.state is AccountState.ACTIVE else None
        return (self.turns_at, befores(self.notify_before)), (ends_at, BEFORE_EXPIRY)

    def plan_reminder(self, now: datetime) -> None:
        """Something about it changed. A reminder that is due already stays due."""
        self.remind_at = next_reminder_of(self, self.turns_at, now)

    def schedule(self, moment: datetime | None) -> None:
        """Due at `moment`, unless that is never, or the account is over or paused by then.

        A JWT that ends before its successor would be known everywhere makes it earlier.
        """
        if moment is not None and self.expires_at is not None and moment >= self.expires_at:
            moment = None
        moment = min(filter(None, (moment, self.turn_by)), default=None)
        self.next_rotation_at = moment
        self.waiting_since = None
        self.rotation_failures = 0
        self._look_when_due()

    def reschedule(self, now: datetime) -> None:
        """Applies a new or changed policy: see Policy.first_due."""
        policy = self.policy
        if policy is None:
            self.schedule(None)
        else:
            self.schedule(policy.first_due(self.id, reckoned_from=self.rotated_at, now=now))

    def pause(self, now: datetime) -> None:
        """No more scheduled rotations until `resume`, but for a JWT that would end by itself.

        A second call changes nothing.
        """
        self.paused_at = self.paused_at or now
        self._look_when_due()

    def resume(self) -> None:
        """A rotation that fell due meanwhile is due now, once."""
        self.paused_at = None
        self._look_when_due()

    def suspend(self) -> None:
        """Every token is revoked: nothing is left to rotate until the next regenerate."""
        self.state = AccountState.SUSPENDED
        self.due_at = None

    def revive(self) -> None:
        """A suspended account that gets a new token is active again."""
        self.state = AccountState.ACTIVE
        self._look_when_due()

    def delete(self, now: datetime) -> None:
        """The name is free at once; the row stays as a tombstone until removals are settled."""
        self.state = AccountState.DELETED
        self.deleted_at = now
        self.due_at = self.next_rotation_at = None

    def _look_when_due(self) -> None:
        self.due_at = self.turns_at


def turn_by(account: Any, end: datetime | None) -> datetime | None:
    """By when a JWT of this `exp` needs a successor, so that no grace or hold is cut by it.

    None if the token is opaque, or ends with the account itself.
    """
    if end is None or (account.expires_at is not None and account.expires_at <= end):
        return None
    last: datetime = end - account.grace - account.max_hold
    return last


def next_reminder_of(account: Any, turns_at: datetime | None, now: datetime) -> datetime | None:
    """When people are reminded next of what comes for this account; what is due stays due."""
    if account.remind_at is not None and account.remind_at <= now:
        due: datetime = account.remind_at
        return due
    rotation = (turns_at, befores(account.notify_before))
    return next_reminder(now, rotation, (account.expires_at, BEFORE_EXPIRY))


def policy_of(account: Any) -> Policy | None:
    """The policy in an account's columns, wherever they were read."""
    if account.rotation_interval is None and account.rotation_schedule is None:
        return None
    return Policy(
        interval=account.rotation_interval,
        schedule=account.rotation_schedule,
        timezone=account.timezone,
        spread=account.spread,
        grace=account.grace,
        max_hold=account.max_hold,
    )
