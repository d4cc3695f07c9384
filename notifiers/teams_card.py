"""A notice as an Adaptive Card within Teams' limits, with nothing that a name could set off.

All text stands in text runs, which know no Markdown: no formatting, mention, list, link or date
function comes of a name. https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
"""

from typing import Any

from core.events import Severity
from notifiers.base import Notice
from notifiers.http import encoded
from notifiers.rendering import web_link
from notifiers.words import (
    figures,
    headline,
    next_step,
    one_line,
    severity,
    shortened,
    title,
    when,
)

# "approximately 28 KB": https://learn.microsoft.com/connectors/teams
MOST_BYTES = 28_000
_LONGEST_TENANT = 100

Element = dict[str, Any]

_STYLES = {
    Severity.INFO: "accent",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "attention",
}


def message(notice: Notice) -> bytes:
    """What is posted. Figures that do not fit are left out, the last first."""
    told = figures(notice)
    while True:
        body = encoded(_message(notice, told))
        if len(body) <= MOST_BYTES or not told:
            return body
        told = told[:-1]


def _message(notice: Notice, told: list[tuple[str, str]]) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",  # workflows take no later one
        "msteams": {"width": "Full"},
        "body": _body(notice, told),
        "actions": _actions(notice),
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _body(notice: Notice, told: list[tuple[str, str]]) -> list[Element]:
    heading = _text(_run(title(notice), weight="Bolder", size="Medium"))
    made = [
        {"type": "Container", "style": _STYLES[notice.severity], "bleed": True, "items": [heading]},
        # The dedup key: the same when the notice is sent again.
        {**_text(_run(headline(notice))), "id": f"keyturn-{notice.key}"},
    ]
    made += [
        {**_text(_run(f"{label}: ", weight="Bolder"), _run(value)), "spacing": "Small"}
        for label, value in told
    ]
    if step := next_step(notice):
        made.append(_text(_run("What to do: ", weight="Bolder"), _run(step)))
    tenant = shortened(one_line(notice.tenant), _LONGEST_TENANT)
    fine_print = f"{severity(notice)} · {when(notice)} · tenant {tenant}"
    made.append(_text(_run(fine_print, isSubtle=True, size="Small")))
    return made


def _actions(notice: Notice) -> list[Element]:
    leads = [
        ("Open in Keyturn", web_link(notice.link)),
        ("Consumers have the new token", web_link(notice.acknowledge)),
    ]
    return [{"type": "Action.OpenUrl", "title": said, "url": url} for said, url in leads if url]


def _text(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **look: Any) -> Element:
    return {"type": "TextRun", "text": text, **look}
