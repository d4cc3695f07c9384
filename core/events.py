"""The facts that Keyturn tells people, by name and severity, and who wants to hear which."""

from collections.abc import Collection, Mapping
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
    ACCOUNT_EXPIRING = "account.expiring"
    ACCOUNT_EXTENDED = "account.extended"
    ACCOUNT_EXPIRED = "account.expired"
    TOKEN_ROTATED = "token.rotated"
    TOKEN_REVOKED = "token.revoked"
    TOKEN_LEAKED = "token.leaked"
    TOKEN_EXPIRED = "token.expired"
    GRACE_ENDING = "token.grace_ending"
    GRACE_HELD = "token.grace_held"
    HOLD_EXHAUSTED = "token.hold_exhausted"
    ROTATION_UPCOMING = "rotation.upcoming"
    ROTATION_WAITING = "rotation.waiting"
    ROTATION_FAILED = "rotation.failed"
    COPY_REQUESTED = "copy.requested"
    SYNC_FAILED = "sync.failed"
    SYNC_RECOVERED = "sync.recovered"
    SYNC_DRIFTED = "sync.drifted"
    SYNC_REPAIRED = "sync.repaired"
    COPY_KEPT = "copy.kept"
    CHECK_REQUESTED = "check.requested"
    LANE_PAUSED = "lane.paused"
    LANE_RESUMED = "lane.resumed"
    CLOCK_JUMPED = "clock.jumped"
    PERSONAL_TOKEN_EXPIRING = "personal-access-token.expiring"
    USER_INVITED = "user.invited"
    CHANNEL_TESTED = "channel.tested"


# How much each needs a human, unless what happened makes it more.
SEVERITY = {
    EventType.ACCOUNT_CREATED: Severity.INFO,
    EventType.ACCOUNT_DELETED: Severity.INFO,
    EventType.ACCOUNT_EXPIRING: Severity.INFO,
    EventType.ACCOUNT_EXTENDED: Severity.INFO,
    EventType.ACCOUNT_EXPIRED: Severity.WARNING,
    EventType.TOKEN_ROTATED: Severity.INFO,
    EventType.TOKEN_REVOKED: Severity.WARNING,
    EventType.TOKEN_LEAKED: Severity.CRITICAL,
    EventType.TOKEN_EXPIRED: Severity.INFO,
    EventType.GRACE_ENDING: Severity.INFO,
    EventType.GRACE_HELD: Severity.WARNING,
    EventType.HOLD_EXHAUSTED: Severity.CRITICAL,
    EventType.ROTATION_UPCOMING: Severity.INFO,
    EventType.ROTATION_WAITING: Severity.WARNING,
    EventType.ROTATION_FAILED: Severity.CRITICAL,
    EventType.COPY_REQUESTED: Severity.INFO,
    EventType.SYNC_FAILED: Severity.WARNING,
    EventType.SYNC_RECOVERED: Severity.INFO,
    EventType.SYNC_DRIFTED: Severity.WARNING,
    EventType.SYNC_REPAIRED: Severity.INFO,
    EventType.COPY_KEPT: Severity.WARNING,
    EventType.CHECK_REQUESTED: Severity.INFO,
    EventType.LANE_PAUSED: Severity.CRITICAL,
    EventType.LANE_RESUMED: Severity.INFO,
    EventType.CLOCK_JUMPED: Severity.CRITICAL,
    EventType.PERSONAL_TOKEN_EXPIRING: Severity.INFO,
    EventType.USER_INVITED: Severity.INFO,
    EventType.CHANNEL_TESTED: Severity.INFO,
}

# What somebody waits for: it is sent at once, and never among others.
AT_ONCE = frozenset({EventType.USER_INVITED})

# What concerns one person alone: nobody subscribes to it, nobody else is told instead.
PERSONAL = frozenset({EventType.PERSONAL_TOKEN_EXPIRING, EventType.USER_INVITED})

# What people are told; the rest is kept as events only.
TOLD = frozenset(EventType) - {
    EventType.ACCOUNT_CREATED,
    EventType.ACCOUNT_DELETED,
    EventType.COPY_REQUESTED,
    EventType.CHECK_REQUESTED,
    EventType.CLOCK_JUMPED,
    EventType.CHANNEL_TESTED,
}

# What is pointless once the moment has passed that this fact of it names.
REMINDERS = {
    EventType.ROTATION_UPCOMING: "next_rotation_at",
    EventType.ACCOUNT_EXPIRING: "expires_at",
    EventType.PERSONAL_TOKEN_EXPIRING: "expires_at",
}

SUBSCRIBABLE = tuple(sorted(event.value for event in TOLD - PERSONAL))

# Which problems a fact is the end of, if there was one.
ENDS: Mapping[EventType, frozenset[EventType]] = {
    EventType.ACCOUNT_EXTENDED: frozenset({EventType.ACCOUNT_EXPIRING, EventType.ACCOUNT_EXPIRED}),
    EventType.TOKEN_ROTATED: frozenset({EventType.ROTATION_WAITING, EventType.ROTATION_FAILED}),
    EventType.TOKEN_EXPIRED: frozenset({EventType.GRACE_ENDING, EventType.GRACE_HELD}),
    EventType.HOLD_EXHAUSTED: frozenset({EventType.GRACE_ENDING, EventType.GRACE_HELD}),
    EventType.SYNC_RECOVERED: frozenset({EventType.SYNC_FAILED}),
    EventType.SYNC_REPAIRED: frozenset({EventType.SYNC_DRIFTED}),
    EventType.LANE_RESUMED: frozenset({EventType.LANE_PAUSED}),
}


def is_wanted(
    event: EventType,
    severity: int,
    *,
    chosen: Collection[str] | None,
    least: int,
    ends: int | None = None,
) -> bool:
    """Whether somebody who chose these events (None: all), from the `least` severity on, hears it.

    `ends` is how bad the problem was that this fact ends: whoever heard of it hears of its end.
    """
    if severity >= least and (chosen is None or event in chosen):
        return True
    if ends is None or ends < least:
        return False
    return chosen is None or not ENDS[event].isdisjoint(chosen)
