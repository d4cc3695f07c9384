"""What a signed webhook says: a fact as JSON, with nothing in it that is not made for people."""

from datetime import UTC
from typing import Any

from notifiers.base import Digest, Notice
from notifiers.rendering import web_link
from notifiers.words import (
    headline,
    known_facts,
    masked,
    next_step,
    one_line,
    severity,
    shortened,
    title,
)

_LONGEST_FACT = 1_000
_LONGEST_TENANT = 100


def payload(notice: Notice) -> dict[str, Any]:
    """What is posted: the type of the fact, when it happened, and what people are told of it."""
    return {
        "type": notice.type.value,
        "timestamp": notice.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "severity": severity(notice).lower(),
            "tenant": shortened(one_line(notice.tenant), _LONGEST_TENANT),
            "title": title(notice),
            "headline": headline(notice),
            "next_step": next_step(notice),
            "link": web_link(notice.link),
            "acknowledge": web_link(notice.acknowledge),
            "facts": _kept_short(known_facts(notice.facts)),
        },
    }


def payloads(digest: Digest) -> list[dict[str, Any]]:
    """What is posted of several: each as it would be alone, and its own key as `id`."""
    return [{"id": str(notice.key), **payload(notice)} for notice in digest.notices]


def _kept_short(fact: Any) -> Any:
    if isinstance(fact, dict):
        return {str(key): _kept_short(value) for key, value in fact.items()}
    if isinstance(fact, list | tuple):
        return [_kept_short(value) for value in fact]
    return shortened(masked(fact), _LONGEST_FACT) if isinstance(fact, str) else fact
