"""The facts that Keyturn tells people, by name and severity."""

from enum import IntEnum, StrEnum


class Severity(IntEnum):
    """How much a fact needs a human."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2


class EventType(StrEnum):
    """What happened. The value is the name in the API, in tables and in documents."""

    ACCOUNT_CREATED = "account.created"
    ACCOUNT_DELETED = "account.deleted"
    ACCOUNT_EXPIRED = "account.expired"
    TOKEN_ROTATED = "token.rotated"
    TOKEN_REVOKED = "token.revoked"
    TOKEN_EXPIRED = "token.expired"
    GRACE_ENDING = "token.grace_ending"
    GRACE_HELD = "token.grace_held"
    HOLD_EXHAUSTED = "token.hold_exhausted"
    ROTATION_WAITING = "rotation.waiting"
    ROTATION_FAILED = "rotation.failed"
    COPY_REQUESTED = "copy.requested"
    SYNC_FAILED = "sync.failed"
    SYNC_RECOVERED = "sync.recovered"
    SYNC_DRIFTED = "sync.drifted"
    COPY_KEPT = "copy.kept"
    CHECK_REQUESTED = "check.requested"
    LANE_PAUSED = "lane.paused"
    LANE_RESUMED = "lane.resumed"
    CLOCK_JUMPED = "clock.jumped"
    USER_INVITED = "user.invited"
    CHANNEL_TESTED = "channel.tested"


SEVERITY = {
    EventType.ACCOUNT_CREATED: Severity.INFO,
    EventType.ACCOUNT_DELETED: Severity.INFO,
    EventType.ACCOUNT_EXPIRED: Severity.WARNING,
    EventType.TOKEN_ROTATED: Severity.INFO,
    EventType.TOKEN_REVOKED: Severity.WARNING,
    EventType.TOKEN_EXPIRED: Severity.INFO,
    EventType.GRACE_ENDING: Severity.INFO,
    EventType.GRACE_HELD: Severity.WARNING,
    EventType.HOLD_EXHAUSTED: Severity.CRITICAL,
    EventType.ROTATION_WAITING: Severity.WARNING,
    EventType.ROTATION_FAILED: Severity.CRITICAL,
    EventType.COPY_REQUESTED: Severity.INFO,
    EventType.SYNC_FAILED: Severity.WARNING,
    EventType.SYNC_RECOVERED: Severity.INFO,
    EventType.SYNC_DRIFTED: Severity.WARNING,
    EventType.COPY_KEPT: Severity.WARNING,
    EventType.CHECK_REQUESTED: Severity.INFO,
    EventType.LANE_PAUSED: Severity.CRITICAL,
    EventType.LANE_RESUMED: Severity.INFO,
    EventType.CLOCK_JUMPED: Severity.CRITICAL,
    EventType.USER_INVITED: Severity.INFO,
    EventType.CHANNEL_TESTED: Severity.INFO,
}

# What somebody waits for: it is sent at once, and never among others.
AT_ONCE = frozenset({EventType.USER_INVITED})

# What an account's people are told; the rest is kept as events only.
TOLD = frozenset(
    {
        EventType.TOKEN_ROTATED,
        EventType.TOKEN_EXPIRED,
        EventType.GRACE_ENDING,
        EventType.GRACE_HELD,
        EventType.HOLD_EXHAUSTED,
        EventType.ROTATION_WAITING,
        EventType.ROTATION_FAILED,
        EventType.SYNC_FAILED,
        EventType.SYNC_RECOVERED,
        EventType.SYNC_DRIFTED,
        EventType.COPY_KEPT,
        EventType.LANE_PAUSED,
        EventType.LANE_RESUMED,
        EventType.ACCOUNT_EXPIRED,
        EventType.TOKEN_REVOKED,
        EventType.USER_INVITED,
    }
)
