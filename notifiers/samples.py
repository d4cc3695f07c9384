"""A sample of every event: what a notice looks like before there is one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from core.events import SEVERITY, TOLD, EventType, Severity
from notifiers.base import Notice
from notifiers.rendering import letter_values
from notifiers.texts import Texts
from notifiers.words import values

_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_KEY = UUID("0195a1b2-0000-7000-8000-00000000cafe")
_HOME = "https://keyturn.example.com"
_ACCOUNT = f"{_HOME}/accounts/0195a1b2-0000-7000-8000-000000000001"
_STORE = "acme:hashicorp:prod:secret-store:vault"

_ROTATION = {
    "account": "billing-export",
    "generation": 12,
    "last_four": "x9Qz",
    "grace_until": "2026-03-03T09:00:00Z",
    "hold_until": "2026-03-10T09:00:00Z",
    "next_rotation_at": "2026-04-01T09:00:00Z",
}
_OLD = {"account": "billing-export", "generation": 11, "last_four": "k2Lm"}
_HELD = {**_OLD, "grace_until": "2026-03-02T09:00:00Z", "hold_until": "2026-03-09T09:00:00Z"}
_COPY = {
    "account": "billing-export",
    "integration": _STORE,
    "path": "secret/billing/export",
    "generation": 12,
    "cause": "written",
}
_LANE = {"integration": _STORE, "lane": "hashicorp/vault", "address": ""}

_FACTS: Mapping[str, Mapping[str, Any]] = {
    EventType.TOKEN_ROTATED: {**_ROTATION, "cause": "scheduled", "by": "schedule"},
    EventType.TOKEN_EXPIRED: _OLD,
    EventType.TOKEN_REVOKED: {
        "account": "billing-export",
        "generations": [11, 12],
        "by": "ann@example.com",
    },
    EventType.GRACE_ENDING: {
        **_OLD,
        "grace_until": "2026-03-02T10:00:00Z",
        "uses": 1_204,
        "callers": ["192.0.2.7 (curl/8.5.0)", "192.0.2.9 (python-requests/2.32)"],
        "last_used_at": "2026-03-02T08:58:12Z",
    },
    EventType.TOKEN_LEAKED: {
        **_OLD,
        "generation": 12,
        "last_four": "x9Qz",
        "cause": "revoke",
        "by": "a report from 192.0.2.80",
        "done": "it was revoked, generation 13 has taken its place",
        "still_valid": ["generation 11"],
    },
    EventType.ROTATION_UPCOMING: {
        "account": "billing-export",
        "next_rotation_at": "2026-03-09T09:00:00Z",
        "grace_until": "2026-03-10T09:00:00Z",
        "remaining": "7 days",
    },
    EventType.ACCOUNT_EXPIRING: {
        "account": "billing-export",
        "expires_at": "2026-03-09T00:00:00Z",
        "remaining": "6 days 15 hours",
    },
    EventType.ACCOUNT_EXTENDED: {
        "account": "billing-export",
        "expires_at": "2027-01-01T00:00:00Z",
    },
    EventType.PERSONAL_TOKEN_EXPIRING: {
        "account": "ann@example.com",
        "name": "laptop",
        "last_four": "x9Qz",
        "expires_at": "2026-03-09T00:00:00Z",
        "remaining": "6 days 15 hours",
    },
    EventType.GRACE_HELD: _HELD,
    EventType.HOLD_EXHAUSTED: {**_HELD, "hold_until": "2026-03-02T09:00:00Z"},
    EventType.ROTATION_WAITING: {
        "account": "billing-export",
        "reason": f"the store {_STORE} is paused",
    },
    EventType.ROTATION_FAILED: {
        "account": "billing-export",
        "error": "its data key does not open",
    },
    EventType.SYNC_FAILED: {**_COPY, "error": "403 permission denied", "will_retry": False},
    EventType.SYNC_RECOVERED: _COPY,
    EventType.SYNC_DRIFTED: {
        **_COPY,
        "found": "somebody else's secret",
        "done": "it is written again",
    },
    EventType.SYNC_REPAIRED: _COPY,
    EventType.COPY_KEPT: {
        **_COPY,
        "lane": _STORE,
        "integration": "",
        "valid_until": "2026-03-09T09:00:00Z",
    },
    EventType.LANE_PAUSED: {**_LANE, "error": "403 permission denied"},
    EventType.LANE_RESUMED: _LANE,
    EventType.ACCOUNT_EXPIRED: {**_OLD, "generation": 12},
    EventType.USER_INVITED: {
        "account": "bob@example.com",
        "organisation": "acme",
        "by": "ann@example.com",
        "valid_until": "2026-03-09T09:00:00Z",
    },
    EventType.CHANNEL_TESTED: {
        "integration": "acme:custom:mail:notification-channel:ops",
        "by": "ann@example.com",
    },
}
_ACKNOWLEDGED = {EventType.TOKEN_ROTATED, EventType.GRACE_ENDING}
_OF_NO_ACCOUNT = {
    EventType.LANE_PAUSED,
    EventType.LANE_RESUMED,
    EventType.PERSONAL_TOKEN_EXPIRING,
    EventType.CHANNEL_TESTED,
}
_WORSE = {  # than usual, by what these samples say
    EventType.ACCOUNT_EXPIRING: Severity.WARNING,
    EventType.GRACE_ENDING: Severity.WARNING,
    EventType.PERSONAL_TOKEN_EXPIRING: Severity.WARNING,
}

SAMPLED = sorted(TOLD | {EventType.CHANNEL_TESTED})
"""Every event of which people are told."""


def sample(event: EventType, *, timezone: str = "Europe/Berlin") -> Notice:
    """A notice of this event, the same each time."""
    link = f"{_HOME}/invitations/..." if event is EventType.USER_INVITED else _ACCOUNT
    return Notice(
        key=_KEY,
        type=event,
        severity=_WORSE.get(event, SEVERITY[event]),
        at=_AT,
        tenant="acme",
        facts=_FACTS.get(event, {"account": "billing-export"}),
        link=_HOME if event in _OF_NO_ACCOUNT else link,
        acknowledge=f"{_HOME}/acknowledge/..." if event in _ACKNOWLEDGED else "",
        timezone=timezone,
    )


def check_texts(folder: Path) -> int:
    """How many texts of the operator's there are, each rendered with every event's sample.

    TextRefused says which file is wrong, on which line, and why.
    """
    read = Texts(folder)
    for event in SAMPLED:
        notice = sample(event)
        read.try_own(event.value, values(notice))
        read.try_letters(letter_values(notice))
    return len(read.own)
