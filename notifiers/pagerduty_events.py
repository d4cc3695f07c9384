"""Which events of PagerDuty's Events API v2 a notice becomes, and which alert they are about.

A problem triggers an alert; its end resolves the same alert, whose dedup key is made of what the
problem is about: never of the event. Information is a change event, which wakes nobody. A test is
an alert of severity info that ends at once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from hashlib import sha256
from typing import Any

from core.events import ENDS, EventType, Severity
from notifiers.base import Notice
from notifiers.rendering import web_link
from notifiers.words import figures, headline, next_step, one_line, readable, shortened

ALERTS = "/v2/enqueue"
CHANGES = "/v2/change/enqueue"

_LONGEST_NAME = 200
_SEVERITIES = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}

# What a problem is about: a word, and the facts that tell one such thing from another. Problems
# that agree in all of it share an alert.
_ABOUT = {
    EventType.ACCOUNT_EXPIRING: ("account", "account"),
    EventType.ACCOUNT_EXPIRED: ("account", "account"),
    EventType.TOKEN_REVOKED: ("revoked", "account", "generations"),
    EventType.TOKEN_LEAKED: ("leak", "account", "what", "name", "generation"),
    EventType.GRACE_ENDING: ("grace", "account", "generation"),
    EventType.GRACE_HELD: ("grace", "account", "generation"),
    EventType.HOLD_EXHAUSTED: ("hold", "account", "generation"),
    EventType.ROTATION_WAITING: ("rotation", "account"),
    EventType.ROTATION_FAILED: ("rotation", "account"),
    EventType.SYNC_FAILED: ("sync", "account", "integration", "path", "cause"),
    EventType.SYNC_DRIFTED: ("drift", "account", "integration", "path"),
    EventType.COPY_KEPT: ("copy", "account", "lane", "path"),
    EventType.LANE_PAUSED: ("lane", "integration", "lane", "address"),
    EventType.CHANNEL_TESTED: ("test", "integration"),
}


@dataclass(frozen=True)
class Event:
    """One call: where it goes, and what it says beside the routing key."""

    endpoint: str
    document: dict[str, Any]


def events(notice: Notice) -> list[Event]:
    """In the order in which they are sent; sent again, they change nothing."""
    if notice.type is EventType.CHANNEL_TESTED:
        return [_trigger(notice), resolve(dedup_key(notice, notice.type))]
    told = _change(notice) if notice.severity is Severity.INFO else _trigger(notice)
    return [*map(resolve, _ended(notice)), told]


def _ended(notice: Notice) -> list[str]:
    """The key of the alert that ends with it, if one does."""
    ended = {dedup_key(notice, problem) for problem in ENDS.get(notice.type, ())}
    generations = notice.facts.get("generations")
    if notice.type is not EventType.TOKEN_REVOKED or not isinstance(generations, list):
        return sorted(ended)
    if len(generations) == 1:
        revoked = replace(notice, facts={**notice.facts, "generation": generations[0]})
        ended.add(dedup_key(revoked, EventType.GRACE_HELD))
    return sorted(ended)


def resolve(key: str) -> Event:
    """Ends the alert of this key; where none is open, nothing happens."""
    return Event(ALERTS, {"event_action": "resolve", "dedup_key": key})


def dedup_key(notice: Notice, problem: EventType) -> str:
    """The same for a problem and its end, whenever and however often they are told."""
    about, *names = _ABOUT.get(problem, (problem.value, "account"))
    parts = [notice.tenant, about, *(notice.facts.get(name) for name in names)]
    named = json.dumps(parts, default=str).encode()
    return f"keyturn/{about}/{sha256(named).hexdigest()[:32]}"


def _trigger(notice: Notice) -> Event:
    link = web_link(notice.link)
    payload = {
        **_payload(notice),
        "severity": _SEVERITIES[notice.severity],
        "component": _name(_component(notice.facts)),
        "group": _name(notice.tenant),
        "class": notice.type.value,
    }
    document = {
        "event_action": "trigger",
        "dedup_key": dedup_key(notice, notice.type),
        "payload": payload,
        "links": _links(notice),
        "client": "Keyturn",
    }
    return Event(ALERTS, {**document, "client_url": link} if link else document)


def _component(facts: Mapping[str, Any]) -> Any:
    return facts.get("account") or facts.get("lane") or facts.get("integration")


def _change(notice: Notice) -> Event:
    return Event(CHANGES, {"payload": _payload(notice), "links": _links(notice)})


def _payload(notice: Notice) -> dict[str, Any]:
    told = dict(figures(notice))
    if step := next_step(notice):
        told["What to do"] = step
    return {
        "summary": headline(notice),
        "source": _name(notice.tenant),
        "timestamp": notice.at.astimezone(UTC).isoformat(),
        "custom_details": {**told, "Event": notice.type.value, "Notice": str(notice.key)},
    }


def _links(notice: Notice) -> list[dict[str, str]]:
    leads = [
        (web_link(notice.link), "Open in Keyturn"),
        (web_link(notice.acknowledge), "Consumers have the new token"),
    ]
    return [{"href": link, "text": said} for link, said in leads if link]


def _name(name: Any) -> str:
    return shortened(one_line(readable(name)), _LONGEST_NAME) or "keyturn"
