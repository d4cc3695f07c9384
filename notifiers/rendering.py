"""A notice as a letter: subject, text and HTML, from templates in a sandbox.

Every value reaches a template as text and is escaped in HTML; a value that a template names
and a notice lacks is an error, not a gap.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifiers.base import Notice
from notifiers.words import figures, headline, moment, next_step, one_line, severity, title

_LINK = re.compile(r"https?://[!-~]{1,1000}")
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Letter:
    """The same words twice: for clients that show HTML, and for the others."""

    subject: str
    text: str
    html: str


def letter(notice: Notice) -> Letter:
    """Renders a notice; the same notice always gives the same letter."""
    words = _words(notice)
    return Letter(
        subject=words["headline"],
        text=_environment().get_template("notice.txt.j2").render(words),
        html=_environment().get_template("notice.html.j2").render(words),
    )


def web_link(link: str) -> str:
    """`link` if it may stand in a message: http or https, in printable ASCII; else nothing."""
    return link if _LINK.fullmatch(link) else ""


def _words(notice: Notice) -> dict[str, Any]:
    return {
        "title": title(notice),
        "headline": headline(notice),
        "next_step": next_step(notice),
        "figures": figures(notice.facts),
        "severity": severity(notice),
        "level": notice.severity.name.lower(),
        "at": moment(notice.at),
        "tenant": one_line(notice.tenant),
        "link": web_link(notice.link),
    }


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html.j2"], default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
