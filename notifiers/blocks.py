"""A notice in Slack's Block Kit, within its limits, with nothing that a name could set off.

Names stand in plain text or in code, with `&`, `<` and `>` escaped: no mention, link or
formatting comes of them. https://docs.slack.dev/reference/block-kit/blocks
"""

from typing import Any

from core.events import Severity
from notifiers.base import Notice
from notifiers.rendering import web_link
from notifiers.words import figures, headline, next_step, one_line, severity, title, when

LONGEST_HEADER = 150
LONGEST_SECTION = 3_000
LONGEST_FIELD = 2_000
LONGEST_LINK = 1_400
MOST_FIELDS = 10

Block = dict[str, Any]

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SIGNS = {Severity.INFO: "🔑", Severity.WARNING: "⚠️", Severity.CRITICAL: "🚨"}


def message(notice: Notice) -> dict[str, Any]:
    """What is posted: blocks, their plain text for notifications, and the dedup key."""
    return {
        "text": escaped(headline(notice), LONGEST_SECTION),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks(notice),
        "metadata": {
            "event_type": "keyturn_notice",
            "event_payload": {"key": str(notice.key), "event": notice.type.value},
        },
    }


def blocks(notice: Notice) -> list[Block]:
    """Title, headline, figures, what to do, and the fine print."""
    heading = f"{_SIGNS[notice.severity]} {title(notice)}"
    made: list[Block] = [
        {"type": "header", "text": _plain(heading, LONGEST_HEADER)},
        {"type": "section", "text": _plain(headline(notice), LONGEST_SECTION)},
    ]
    if fields := [_field(label, value) for label, value in figures(notice)]:
        made.append({"type": "section", "fields": fields[:MOST_FIELDS]})
    if step := next_step(notice):
        made.append({"type": "section", "text": _plain(f"What to do: {step}", LONGEST_SECTION)})
    if links := _links(notice):
        made.append({"type": "section", "text": _formatted(links)})
    fine_print = f"{severity(notice)} · {when(notice)} · tenant {one_line(notice.tenant)}"
    made.append({"type": "context", "elements": [_plain(fine_print, LONGEST_FIELD)]})
    return made


def escaped(text: str, most: int) -> str:
    """`text` with Slack's three control characters as entities; never more than `most` long."""
    parts: list[str] = []
    length = 0
    for character in text:
        part = _ESCAPES.get(character, character)
        if length + len(part) >= most:
            parts.append("…")
            break
        parts.append(part)
        length += len(part)
    return "".join(parts)


def _field(label: str, value: str) -> Block:
    head = f"*{label}*\n`"
    return _formatted(f"{head}{escaped(value.replace('`', chr(39)), LONGEST_FIELD - len(head))}`")


def _links(notice: Notice) -> str:
    """The only text here that Slack may format, all of it ours."""
    leads = [
        (web_link(notice.link), "Open in Keyturn"),
        (web_link(notice.acknowledge), "Consumers have the new token"),
    ]
    targets = [(escaped(link.replace("|", "%7C"), LONGEST_LINK), said) for link, said in leads]
    return "  ·  ".join(f"<{target}|{said}>" for target, said in targets if target)


def _plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": escaped(text, most), "emoji": False}


def _formatted(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
