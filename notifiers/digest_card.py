"""A digest as an Adaptive Card within Teams' limits; all text stands in runs, without Markdown."""

from collections.abc import Sequence
from typing import Any

from core.events import Severity
from notifiers.base import Digest
from notifiers.digests import Row, happened, instead, more, rows, summary
from notifiers.http import encoded
from notifiers.rendering import web_link
from notifiers.teams_card import MOST_BYTES, Element
from notifiers.words import one_line, severity, shortened

_LONGEST_TENANT = 100
_STYLES = {
    Severity.INFO: "accent",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "attention",
}


def digest_message(digest: Digest) -> bytes:
    """What is posted. Rows that do not fit are counted among the rest, the last first."""
    table = rows(digest)
    while True:
        body = encoded(_message(digest, table))
        if len(body) <= MOST_BYTES or not table:
            return body
        table = table[:-1]


def _message(digest: Digest, table: Sequence[Row]) -> dict[str, Any]:
    link = web_link(digest.link)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",  # workflows take no later one
        "msteams": {"width": "Full"},
        "body": _body(digest, table),
        "actions": [{"type": "Action.OpenUrl", "title": "Open in Keyturn", "url": link}]
        if link
        else [],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _body(digest: Digest, table: Sequence[Row]) -> list[Element]:
    heading = _text(_run(f"{len(digest.notices):,} notices", weight="Bolder", size="Medium"))
    made = [
        {"type": "Container", "style": _STYLES[digest.severity], "bleed": True, "items": [heading]},
        # The dedup key: the same when the digest is sent again.
        {**_text(_run(summary(digest))), "id": f"keyturn-{digest.key}"},
    ]
    made += [
        {**_text(_run(f"{label}: ", weight="Bolder"), _run(said)), "spacing": "Small"}
        for label, said in (*instead(digest), *table)
    ]
    if rest := more(digest, len(table)):
        made.append(_text(_run(rest)))
    tenant = shortened(one_line(digest.tenant), _LONGEST_TENANT)
    fine_print = f"{severity(digest.notices[0])} · {happened(digest)} · tenant {tenant}"
    made.append(_text(_run(fine_print, isSubtle=True, size="Small")))
    return made


def _text(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **look: Any) -> Element:
    return {"type": "TextRun", "text": text, **look}
