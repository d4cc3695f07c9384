"""What each fact says to a person: a title, one headline, the figures, and what to do next.

All of it is plain text in one line, whatever names are in it; a medium escapes it as it needs.
"""

from collections.abc import Mapping
from typing import Any

from core.events import EventType, Severity
from notifiers.base import Notice
from notifiers.plain import instant, masked, moment, one_line, readable, shortened
from notifiers.texts import LABELS, UNLABELLED, texts

__all__ = [
    "LONGEST_HEADLINE",
    "figures",
    "headline",
    "known_facts",
    "masked",
    "moment",
    "next_step",
    "one_line",
    "readable",
    "severity",
    "shortened",
    "title",
    "values",
    "when",
    "why",
]

LONGEST_HEADLINE = 400
_LONGEST_TITLE = 80
_LONGEST_STEP = 1_000
_LONGEST_REASON = 200

_SEVERITIES = {
    Severity.INFO: "Information",
    Severity.WARNING: "Warning",
    Severity.CRITICAL: "Critical",
}


class _Unknown(str):
    """What an event does not know: it reads as a dash, and is as good as nothing."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


_UNKNOWN = _Unknown("-")


def title(notice: Notice) -> str:
    """What kind of fact it is, in a few words that hold no name."""
    return _said(notice, "title", _LONGEST_TITLE) or notice.type.value


def headline(notice: Notice) -> str:
    """What happened, in one line of at most 400 characters without line breaks."""
    return _said(notice, "headline", LONGEST_HEADLINE) or title(notice)


def next_step(notice: Notice) -> str:
    """What the reader should do; empty if nothing."""
    return _said(notice, "next_step", _LONGEST_STEP)


def why(notice: Notice) -> str:
    """Why the reader hears of it, as the end of a sentence."""
    return _said(notice, "why", _LONGEST_REASON)


def when(notice: Notice) -> str:
    """When it happened, where the reader lives."""
    return moment(notice.at, notice.timezone)


def figures(notice: Notice) -> list[tuple[str, str]]:
    """The event's figures that a person may want, labelled, in a fixed order."""
    read = [
        (label, readable(notice.facts.get(key), notice.timezone)) for key, label in LABELS.items()
    ]
    return [(label, value) for label, value in read if value]


def known_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that are made for people, as they are but for tokens; all others stay here."""
    known = {key: facts[key] for key in facts if key in LABELS or key in UNLABELLED}
    return {key: masked(one) if isinstance(one, str) else one for key, one in known.items()}


def severity(notice: Notice) -> str:
    """How much this needs a human, as a word."""
    return _SEVERITIES[notice.severity]


def values(notice: Notice) -> dict[str, Any]:
    """What an event's text is made of. Every fact is there; an unknown one counts as none."""
    told = {
        key: readable(notice.facts.get(key), notice.timezone) or _UNKNOWN
        for key in (*LABELS, *UNLABELLED)
    }
    return {
        **told,
        "will_retry": bool(notice.facts.get("will_retry")),
        "old_token": _fate_of_the_old(notice),
        "event": notice.type.value,
        "severity": severity(notice),
        "level": notice.severity.name.lower(),
        "at": when(notice),
        "tenant": one_line(notice.tenant) or _UNKNOWN,
    }


def _said(notice: Notice, block: str, most: int) -> str:
    written = texts(notice.templates).said(notice.type.value, block, values(notice))
    return shortened(one_line(written), most)


def _fate_of_the_old(notice: Notice) -> str:
    """Whether the token before a new one still works; nothing if there was none."""
    until = instant(notice.facts.get("grace_until"))
    if notice.type is not EventType.TOKEN_ROTATED or until is None:
        return ""
    return "ended" if until <= notice.at else "works"
