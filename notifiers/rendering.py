"""A notice as a letter: subject, text and HTML, from templates in a sandbox.

Every value reaches a template as text and is escaped in HTML.
"""

import re
from dataclasses import dataclass
from typing import Any

from notifiers.base import Notice
from notifiers.texts import texts
from notifiers.words import figures, headline, next_step, title, values, why

_LINK = re.compile(r"https?://[!-~]{1,1000}")


@dataclass(frozen=True)
class Letter:
    """The same words twice: for clients that show HTML, and for the others."""

    subject: str
    text: str
    html: str


def letter(notice: Notice) -> Letter:
    """Renders a notice; the same notice always gives the same letter."""
    words = letter_values(notice)
    templates = texts(notice.templates)
    return Letter(
        subject=words["headline"],
        text=templates.letter("notice.txt.j2", words),
        html=templates.letter("notice.html.j2", words),
    )


def web_link(link: str) -> str:
    """`link` if it may stand in a message: http or https, in printable ASCII; else nothing."""
    return link if _LINK.fullmatch(link) else ""


def letter_values(notice: Notice) -> dict[str, Any]:
    """What a letter is made of."""
    return {
        **values(notice),
        "title": title(notice),
        "headline": headline(notice),
        "next_step": next_step(notice),
        "why": why(notice),
        "figures": figures(notice),
        "link": web_link(notice.link),
        "acknowledge": web_link(notice.acknowledge),
    }
