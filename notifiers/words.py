"""What each fact says to a person: one headline, the figures, and what to do next."""

from collections.abc import Mapping
from typing import Any

from core.events import EventType
from notifiers.base import Notice

_HEADLINES = {
    EventType.TOKEN_ROTATED: "{account}: new token, generation {generation}"
    " (the old one works until {grace_until})",
    EventType.ACCOUNT_EXPIRED: "{account}: past its expiration date, its token has ended",
    EventType.TOKEN_EXPIRED: "{account}: the old token of generation {generation} has ended",
    EventType.TOKEN_REVOKED: "{account}: tokens were revoked by {by}",
    EventType.GRACE_ENDING: "{account}: the old token of generation {generation} ends at"
    " {grace_until}",
    EventType.GRACE_HELD: "{account}: the old token of generation {generation} is kept alive,"
    " at most until {hold_until}: a required store lacks the new one",
    EventType.HOLD_EXHAUSTED: "{account}: the old token of generation {generation} has ended,"
    " although a required store never got the new one",
    EventType.ROTATION_WAITING: "{account}: its rotation waits: {reason}",
    EventType.ROTATION_FAILED: "{account}: its rotation failed: {error}",
    EventType.SYNC_FAILED: "{account}: {path} did not take the new token: {error}",
    EventType.SYNC_RECOVERED: "{account}: {path} has the new token now",
    EventType.LANE_PAUSED: "Sending to {lane} {address} is paused: {error}",
}

_NEXT_STEPS = {
    EventType.TOKEN_ROTATED: "Nothing, if the consumers read their token from a secret store. "
    "Others must fetch the new one before the old one ends.",
    EventType.ACCOUNT_EXPIRED: "If it is still needed, move the expiration date; a new token is "
    "made then.",
    EventType.TOKEN_REVOKED: "Consumers that still use a revoked token get 401: give them the "
    "current one.",
    EventType.GRACE_ENDING: "Make sure that no consumer still uses the old token.",
    EventType.GRACE_HELD: "Repair the store, or mark it as not required.",
    EventType.HOLD_EXHAUSTED: "Consumers of that store are cut off: repair it, then sync now.",
    EventType.ROTATION_WAITING: "Repair what it waits for; the rotation follows by itself.",
    EventType.ROTATION_FAILED: "Look at the account's policy and at the logs; it is retried.",
    EventType.SYNC_FAILED: "If it will not be retried, change the path or the secret there, "
    "then sync now.",
    EventType.LANE_PAUSED: "Correct the credentials or the address, then resume the lane.",
}

_LABELS = {
    "generation": "Generation",
    "last_four": "Token ends in",
    "grace_until": "Old token works until",
    "hold_until": "At the latest until",
    "next_rotation_at": "Next rotation",
    "path": "Path",
    "by": "By",
    "error": "Error",
    "reason": "Reason",
}


class _Known(dict[str, Any]):
    """Facts for a headline; what an event does not know reads as a dash."""

    def __missing__(self, key: str) -> str:
        return "-"


def headline(notice: Notice) -> str:
    """What happened, in one line of plain text without line breaks."""
    facts = _Known({key: one_line(value) or "-" for key, value in notice.facts.items()})
    return _HEADLINES.get(notice.type, "{account}: " + notice.type.value).format_map(facts)


def next_step(notice: Notice) -> str:
    """What the reader should do; empty if nothing."""
    return _NEXT_STEPS.get(notice.type, "")


def figures(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The event's figures that a person may want, labelled, in a fixed order."""
    return [(label, one_line(facts[key])) for key, label in _LABELS.items() if facts.get(key)]


def one_line(value: Any) -> str:
    """Text without control characters: no header, line or terminal can be broken by a name."""
    return "".join(c if c.isprintable() else " " for c in str(value))
