"""A digest in Slack's Block Kit, within its limits, with nothing that a name could set off.

All of it but the link stands in plain text. https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Iterator, Sequence
from typing import Any

from core.events import Severity
from notifiers.base import Digest
from notifiers.blocks import LONGEST_HEADER, LONGEST_SECTION, Block, escaped
from notifiers.digests import Row, happened, instead, more, rows, summary
from notifiers.rendering import web_link
from notifiers.words import one_line, severity

_LONGEST_ROW = 250  # ten of them fit into a section
_ROWS_A_SECTION = 10
_LONGEST_TENANT = 200
_SIGNS = {Severity.INFO: "🔑", Severity.WARNING: "⚠️", Severity.CRITICAL: "🚨"}


def digest_message(digest: Digest) -> dict[str, Any]:
    """What is posted: blocks, their plain text for notifications, and the dedup key."""
    return {
        "text": escaped(summary(digest), LONGEST_SECTION),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": list(_blocks(digest)),
        "metadata": {
            "event_type": "keyturn_digest",
            "event_payload": {"key": str(digest.key), "notices": len(digest.notices)},
        },
    }


def _blocks(digest: Digest) -> Iterator[Block]:
    heading = f"{_SIGNS[digest.severity]} {len(digest.notices):,} notices"
    yield {"type": "header", "text": _plain(heading, LONGEST_HEADER)}
    yield {"type": "section", "text": _plain(summary(digest), LONGEST_SECTION)}
    for label, who in instead(digest):
        yield {"type": "section", "text": _plain(f"{label} {who}", LONGEST_SECTION)}
    table = rows(digest)
    for start in range(0, len(table), _ROWS_A_SECTION):
        yield _section(table[start : start + _ROWS_A_SECTION])
    if rest := more(digest, len(table)):
        yield {"type": "section", "text": _plain(rest, LONGEST_SECTION)}
    if link := web_link(digest.link):
        target = escaped(link.replace("|", "%7C"), LONGEST_SECTION // 2)
        lead = {"type": "mrkdwn", "text": f"<{target}|Open in Keyturn>", "verbatim": True}
        yield {"type": "section", "text": lead}
    tenant = escaped(one_line(digest.tenant), _LONGEST_TENANT)
    fine_print = f"{severity(digest.notices[0])} · {happened(digest)} · tenant {tenant}"
    yield {
        "type": "context",
        "elements": [{"type": "plain_text", "text": fine_print, "emoji": False}],
    }


def _section(some: Sequence[Row]) -> Block:
    lines = [escaped(f"{row.title}: {row.headline}", _LONGEST_ROW) for row in some]
    return {
        "type": "section",
        "text": {"type": "plain_text", "text": "\n".join(lines), "emoji": False},
    }


def _plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": escaped(text, most), "emoji": False}
