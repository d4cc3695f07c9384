"""Events in words: what happened, and the figures that belong to it.

Only facts that are made for people are shown; an event may carry others, sealed ones among them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.words import moment
from core.events import EventType, Severity

TITLES = {
    EventType.ACCOUNT_CREATED: "Account created",
    EventType.ACCOUNT_DELETED: "Account deleted",
    EventType.ACCOUNT_EXPIRING: "Account ends soon",
    EventType.ACCOUNT_EXTENDED: "Account extended",
    EventType.ACCOUNT_EXPIRED: "Account expired",
    EventType.ROTATION_UPCOMING: "Rotation ahead",
    EventType.TOKEN_ROTATED: "Token rotated",
    EventType.TOKEN_REVOKED: "Token revoked",
    EventType.TOKEN_LEAKED: "Token reported as leaked",
    EventType.PERSONAL_TOKEN_EXPIRING: "Personal access token ends soon",
    EventType.TOKEN_EXPIRED: "Old token ended",
    EventType.GRACE_ENDING: "Grace ends soon",
    EventType.GRACE_HELD: "Old token held",
    EventType.HOLD_EXHAUSTED: "Hold used up",
    EventType.ROTATION_WAITING: "Rotation waits",
    EventType.ROTATION_FAILED: "Rotation failed",
    EventType.COPY_REQUESTED: "Copies asked for",
    EventType.SYNC_FAILED: "Store not reached",
    EventType.SYNC_RECOVERED: "Store reached again",
    EventType.SYNC_DRIFTED: "Store has drifted",
    EventType.SYNC_REPAIRED: "Store repaired",
    EventType.COPY_KEPT: "Copy kept",
    EventType.CHECK_REQUESTED: "Comparison asked for",
    EventType.LANE_PAUSED: "Lane paused",
    EventType.LANE_RESUMED: "Lane resumed",
    EventType.CLOCK_JUMPED: "Clock jumped",
    EventType.USER_INVITED: "Person invited",
    EventType.CHANNEL_TESTED: "Channel tried",
}
SEVERITIES = {
    Severity.INFO: ("info", "plain"),
    Severity.WARNING: ("warning", "warn"),
    Severity.CRITICAL: ("critical", "bad"),
}
_LABELS = {
    "name": "",
    "generation": "generation",
    "generations": "generations",
    "cause": "",
    "integration": "in",
    "path": "at",
    "address": "to",
    "found": "found:",
    "error": "",
    "reason": "because",
    "by": "by",
    "done": "",
}
# When something ends is worth saying only where it is about that.
_ENDS = {
    EventType.ACCOUNT_EXPIRING: ("expires_at", "it ends"),
    EventType.PERSONAL_TOKEN_EXPIRING: ("expires_at", "it ends"),
    EventType.ROTATION_UPCOMING: ("next_rotation_at", "due"),
    EventType.GRACE_ENDING: ("grace_until", "it works until"),
    EventType.GRACE_HELD: ("hold_until", "at most until"),
}
_UNSAID = {"cause": {"created", "written"}, "by": {"keyturn"}}


def title_of(kind: EventType) -> str:
    """What happened, in a few words; a kind that is newer than these goes by its name."""
    return TITLES.get(kind, kind.value)


def detail_of(kind: EventType, facts: Mapping[str, Any]) -> str:
    """The figures that belong to it, in one line."""
    parts = []
    for name, label in _LABELS.items():
        value = facts.get(name)
        if value is None or value in ("", []) or str(value) in _UNSAID.get(name, ()):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        short = text.rpartition(":")[2] if name == "integration" else text
        parts.append(f"{label} {short}".strip())
    name, label = _ENDS.get(kind, ("", ""))
    if facts.get(name):
        parts.append(f"{label} {_moment(str(facts[name]))}")
    return ", ".join(parts)


def _moment(written: str) -> str:
    try:
        return moment(datetime.fromisoformat(written))
    except ValueError:
        return written
