"""Tokens: one row per generation of an account's key."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant, one_of
from models.types import Name, Span


class TokenState(StrEnum):
    """Where a token is in its life. Whether it works is `is_valid`, not this (law 7)."""

    CURRENT = "current"
    GRACE = "grace"
    EXPIRED = "expired"
    REVOKED = "revoked"


def is_live(state: TokenState, valid_until: datetime | None, now: datetime) -> bool:
    """Whether a token works at `now`: a function of its row and the time alone."""
    return state in {TokenState.CURRENT, TokenState.GRACE} and (
        valid_until is None or now < valid_until
    )


class TokenRow(OfTenant, Base):
    """One generation: only the hash is kept, and of the current one a sealed copy.

    `valid_until` alone decides whether the token works. It is written in the commit that
    ends the token's time as current, and again by the release of a hold. `link_hash` is of the
    one-time link by which people acknowledge its farewell; `link_sealed` is the link's token, for
    the notices that carry it.

    A JWT has a `signing_key_id`, and `expires_at` is its `exp`. `revocation` is its number in
    the list for offline verifiers, if it ended before that.
    """

    __tablename__ = "tokens"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["virtual_accounts.tenant_id", "virtual_accounts.id"]
        ),
        UniqueConstraint("account_id", "tenant_id", "generation"),
        one_of("state", TokenState),
        CheckConstraint("sealed IS NULL OR state = 'current'", name="sealed_only_while_current"),
        CheckConstraint(
            "state <> 'grace' OR (grace_until IS NOT NULL AND hold_until IS NOT NULL"
            " AND valid_until BETWEEN grace_until AND hold_until)",
            name="grace_within_hold",
        ),
        CheckConstraint(
            "expires_at IS NULL OR valid_until <= expires_at", name="never_outlives_itself"
        ),
        Index("uq_tokens_hash", "hash", unique=True),
        Index(
            "uq_tokens_link_hash",
            "link_hash",
            unique=True,
            postgresql_where=text("link_hash IS NOT NULL"),
            sqlite_where=text("link_hash IS NOT NULL"),
        ),
        Index(
            "uq_tokens_one_current",
            "account_id",
            "tenant_id",
            unique=True,
            postgresql_where=text("state = 'current'"),
            sqlite_where=text("state = 'current'"),
        ),
        Index(
            "ix_tokens_ending",
            "valid_until",
            postgresql_where=text("state IN ('current', 'grace') AND valid_until IS NOT NULL"),
            sqlite_where=text("state IN ('current', 'grace') AND valid_until IS NOT NULL"),
        ),
        # What offline verifiers have to be told of, and which keys are still needed.
        Index(
            "ix_tokens_unlisted",
            "expires_at",
            postgresql_where=text(
                "signing_key_id IS NOT NULL AND revocation IS NULL AND state <> 'current'"
            ),
            sqlite_where=text(
                "signing_key_id IS NOT NULL AND revocation IS NULL AND state <> 'current'"
            ),
        ),
        Index(
            "uq_tokens_revocation",
            "revocation",
            unique=True,
            postgresql_where=text("revocation IS NOT NULL"),
            sqlite_where=text("revocation IS NOT NULL"),
        ),
        Index(
            "ix_tokens_signing_key",
            "signing_key_id",
            "expires_at",
            postgresql_where=text("signing_key_id IS NOT NULL"),
            sqlite_where=text("signing_key_id IS NOT NULL"),
        ),
        Index(
            "ix_tokens_unreleased",
            "tenant_id",
            "grace_until",
            postgresql_where=text(
                "state = 'grace' AND released_at IS NULL AND hold_until <> grace_until"
            ),
            sqlite_where=text(
                "state = 'grace' AND released_at IS NULL AND hold_until <> grace_until"
            ),
        ),
        Index(
            "ix_tokens_notice",
            "notice_at",
            postgresql_where=text("notice_at IS NOT NULL"),
            sqlite_where=text("notice_at IS NOT NULL"),
        ),
    )

    account_id: Mapped[UUID]
    generation: Mapped[int]
    state: Mapped[TokenState] = mapped_column(Name(TokenState))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    sealed: Mapped[bytes | None]
    last_four: Mapped[str] = mapped_column(String(4))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    grace_until: Mapped[datetime | None]
    hold_until: Mapped[datetime | None]
    pick_up: Mapped[timedelta | None] = mapped_column(Span)
    released_at: Mapped[datetime | None]
    notice_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    link_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    link_sealed: Mapped[bytes | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(String(320))
    signing_key_id: Mapped[UUID | None]
    revocation: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def is_jwt(self) -> bool:
        return self.signing_key_id is not None

    def is_valid(self, now: datetime) -> bool:
        """Whether the token works at `now`: a function of the row and the time alone."""
        return is_live(self.state, self.valid_until, now)

    def is_held(self, now: datetime) -> bool:
        """Whether only a hold keeps it valid: its grace is over, a required place is behind."""
        return (
            self.state is TokenState.GRACE
            and self.released_at is None
            and self.grace_until is not None
            and self.grace_until <= now
            and self.is_valid(now)
        )

    def move_end(self, end: datetime | None) -> None:
        """The account's expiration date moved; a predecessor's deadline only ever comes nearer.

        So does a JWT's: its `exp` is signed.
        """
        if self.is_jwt and self.expires_at is not None:
            end = self.expires_at if end is None else min(end, self.expires_at)
        else:
            self.expires_at = end
        if self.state is TokenState.CURRENT:
            self.valid_until = end
        elif end is not None:
            assert self.valid_until is not None
            assert self.grace_until is not None
            assert self.hold_until is not None
            self.grace_until = min(self.grace_until, end)
            self.hold_until = min(self.hold_until, end)
            self.valid_until = min(self.valid_until, end)

    def set_aside(
        self,
        *,
        grace_until: datetime,
        hold_until: datetime,
        valid_until: datetime,
        notice_at: datetime,
    ) -> None:
        """No longer the current one; works on as far as its farewell says."""
        self.state = TokenState.GRACE
        self.sealed = None
        self.grace_until, self.hold_until = grace_until, hold_until
        self.valid_until = valid_until
        self.notice_at = notice_at
        self.pick_up = timedelta(0)

    def end(self, state: TokenState, now: datetime) -> None:
        """No longer works: expired by time or revoked by somebody. The sealed copy is wiped."""
        self.state = state
        self.ended_at = now
        self.sealed = None
        self.notice_at = None
        self.link_sealed = None

    @property
    def awaits_confirmation(self) -> bool:
        """Whether a required place still has to take the successor over."""
        return self.released_at is None and self.hold_until != self.grace_until

    def acknowledge(self, by: str, now: datetime) -> None:
        """Its consumers have taken the successor over: nobody is warned of its end any more."""
        self.acknowledged_at, self.acknowledged_by = now, by[:320]
        self.link_sealed = None
        self.notice_at = self.grace_until if self.awaits_confirmation else None

    def end_grace_at(self, end: datetime) -> None:
        """The grace ends earlier; never later than it would."""
        assert self.valid_until is not None
        assert self.grace_until is not None
        assert self.hold_until is not None
        self.grace_until = min(self.grace_until, end)
        self.hold_until = min(self.hold_until, end)
        self.valid_until = min(self.valid_until, end)
