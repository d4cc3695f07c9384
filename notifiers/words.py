"""What each fact says to a person: a title, one headline, the figures, and what to do next."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.events import EventType, Severity
from notifiers.base import Notice

LONGEST_HEADLINE = 400
LONGEST_VALUE = 300

_TITLES = {
    EventType.TOKEN_ROTATED: "New token",
    EventType.ACCOUNT_EXPIRED: "Account past its expiration date",
    EventType.TOKEN_EXPIRED: "Old token ended",
    EventType.TOKEN_REVOKED: "Tokens revoked",
    EventType.GRACE_ENDING: "Old token ends soon",
    EventType.GRACE_HELD: "Old token kept alive",
    EventType.HOLD_EXHAUSTED: "Old token ended, a store lacks the new one",
    EventType.ROTATION_WAITING: "Rotation waits",
    EventType.ROTATION_FAILED: "Rotation failed",
    EventType.SYNC_FAILED: "Store not updated",
    EventType.SYNC_RECOVERED: "Store up to date again",
    EventType.SYNC_DRIFTED: "Store changed by somebody else",
    EventType.COPY_KEPT: "Token left in a store",
    EventType.LANE_PAUSED: "Sending paused",
    EventType.LANE_RESUMED: "Sending goes on",
    EventType.USER_INVITED: "Invitation",
}

_HEADLINES = {
    EventType.TOKEN_ROTATED: "{account}: new token, generation {generation}",
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
    EventType.SYNC_DRIFTED: "{account}: {path} did not hold what it should: {found}",
    EventType.COPY_KEPT: "{account}: a copy of its token stays at {path}, as was asked for",
    EventType.LANE_PAUSED: "Sending to {lane} is paused: {error}",
    EventType.LANE_RESUMED: "Sending to {lane} goes on",
    EventType.USER_INVITED: "{by} invites you to {organisation} on Keyturn",
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
    EventType.SYNC_FAILED: "It will not be retried: change the path or the secret there, then "
    "sync now.",
    EventType.SYNC_DRIFTED: "Find out who writes there beside Keyturn.",
    EventType.COPY_KEPT: "Keyturn does not look after it any more: remove it once nobody reads it.",
    EventType.USER_INVITED: "Open the link and log in; it works once, for seven days. If you do "
    "not know who invites you, do nothing.",
    EventType.LANE_PAUSED: "Correct the credentials or the address, then resume the lane.",
}
# The same of a copy that should go away.
_OF_REMOVALS = {
    EventType.SYNC_FAILED: "{account}: its copy could not be removed from {path}: {error}",
    EventType.SYNC_RECOVERED: "{account}: its copy has been removed from {path}",
}
_REMOVE_BY_HAND = "It will not be retried, and its token may still work: remove it there by hand."
_RETRIED = "It is retried by itself; look at the store if this lasts."

_LABELS = {
    "generation": "Generation",
    "generations": "Generations",
    "last_four": "Token ends in",
    "grace_until": "Old token works until",
    "hold_until": "Kept alive at most until",
    "next_rotation_at": "Next rotation",
    "path": "Path",
    "lane": "Destination",
    "integration": "Integration",
    "found": "Found there",
    "done": "What followed",
    "address": "Address",
    "by": "By",
    "error": "Error",
    "reason": "Reason",
}
# Said in a headline or worth having in a file, but no figure of its own.
_UNLABELLED = {"account", "cause", "valid_until", "will_retry"}

_SEVERITIES = {
    Severity.INFO: "Information",
    Severity.WARNING: "Warning",
    Severity.CRITICAL: "Critical",
}

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_TOKEN = re.compile(r"tfy_(vat|pat)_[0-9A-Za-z]{8,}")


class _Known(dict[str, str]):
    """Facts for a headline; what an event does not know reads as a dash."""

    def __missing__(self, key: str) -> str:
        return "-"


def title(notice: Notice) -> str:
    """What kind of fact it is, in a few words that hold no name."""
    return _TITLES.get(notice.type, notice.type.value)


def headline(notice: Notice) -> str:
    """What happened, in one line of at most 400 characters without line breaks."""
    facts = _Known({key: readable(value) or "-" for key, value in notice.facts.items()})
    words = {**_HEADLINES, **(_OF_REMOVALS if _is_of_removal(notice) else {})}
    said = words.get(notice.type, "{account}: " + notice.type.value).format_map(facts)
    return shortened(said + _fate_of_the_old(notice), LONGEST_HEADLINE)


def next_step(notice: Notice) -> str:
    """What the reader should do; empty if nothing."""
    if notice.type is EventType.SYNC_FAILED and notice.facts.get("will_retry"):
        return _RETRIED
    if notice.type is EventType.SYNC_FAILED and _is_of_removal(notice):
        return _REMOVE_BY_HAND
    return _NEXT_STEPS.get(notice.type, "")


def figures(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The event's figures that a person may want, labelled, in a fixed order."""
    read = [(label, readable(facts.get(key))) for key, label in _LABELS.items()]
    return [(label, value) for label, value in read if value]


def known_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that are made for people, as they are but for tokens; all others stay here."""
    known = {key: facts[key] for key in facts if key in _LABELS or key in _UNLABELLED}
    return {key: masked(one) if isinstance(one, str) else one for key, one in known.items()}


def severity(notice: Notice) -> str:
    """How much this needs a human, as a word."""
    return _SEVERITIES[notice.severity]


def moment(at: datetime) -> str:
    """A time for people in any zone: `2026-03-02 09:00 UTC`, with seconds unless they are 0."""
    written = at.astimezone(UTC)
    return f"{written:%Y-%m-%d %H:%M:%S} UTC".replace(":00 UTC", " UTC")


def readable(value: Any) -> str:
    """A fact as one line of at most 300 characters; nothing for what is unknown or empty."""
    if value is None:
        return ""
    if isinstance(value, list | tuple | set | frozenset):
        return shortened(", ".join(readable(one) for one in value), LONGEST_VALUE)
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return _read_moment(value)
    return shortened(one_line(value), LONGEST_VALUE)


def one_line(value: Any) -> str:
    """Text without control characters, tokens and runs of blanks: a name breaks no header or line.

    What turns the direction of writing and what is only half a character counts as control.
    """
    plain = "".join(c if c.isprintable() else " " for c in str(value))
    return " ".join(masked(plain).split())


def masked(text: str) -> str:
    """A belt beside the braces: whatever looks like a token is not told to anybody."""
    return _TOKEN.sub(r"tfy_\1_***", text)


def shortened(text: str, most: int) -> str:
    """`text`, or as much of it as fits into `most` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _is_of_removal(notice: Notice) -> bool:
    return notice.facts.get("cause") == "removed"


def _fate_of_the_old(notice: Notice) -> str:
    """How long the token before a new one works; nothing if there was none."""
    until = str(notice.facts.get("grace_until") or "")
    if notice.type is not EventType.TOKEN_ROTATED or not _MOMENT.fullmatch(until):
        return ""
    if _instant(until) <= notice.at:
        return "; the old one has ended"
    return f"; the old one works until {_read_moment(until)}"


def _instant(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def _read_moment(written: str) -> str:
    try:
        return moment(datetime.fromisoformat(written))
    except (ValueError, OverflowError):
        return written
