"""Which texts there are: ours, and the operator's, which stand in for ours of the same name.

A file of `events` has blocks, each of them one line: `title`, `headline`, `next_step`, `why`. What
a file lacks comes from ours. The operator's texts are read once and kept.
"""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from notifiers.sandbox import MOST_SOURCE, Compiled, TextRefused

OURS = Path(__file__).parent / "templates"
BLOCKS = frozenset({"title", "headline", "next_step", "why"})

# Facts that are made for people. No other one reaches a text or leaves.
LABELS = {
    "instead_of": "Told here instead of",
    "instead_since": "Not reached since",
    "instead_because": "Why not",
    "generation": "Generation",
    "generations": "Generations",
    "last_four": "Token ends in",
    "grace_until": "Old token works until",
    "hold_until": "Kept alive at most until",
    "next_rotation_at": "Next rotation",
    "expires_at": "Expires at",
    "uses": "Calls with the old token",
    "callers": "Called from",
    "last_used_at": "Last call",
    "path": "Path",
    "lane": "Destination",
    "integration": "Integration",
    "found": "Found there",
    "done": "What followed",
    "address": "Address",
    "by": "By",
    "error": "Error",
    "reason": "Reason",
    "still_valid": "Still valid",
}
# Said in a headline or worth having in a file, but no figure of its own.
UNLABELLED = frozenset(
    {"account", "cause", "name", "organisation", "remaining", "valid_until", "what", "will_retry"}
)
OF_EVENTS = frozenset(
    {*LABELS, *UNLABELLED, "at", "event", "level", "old_token", "severity", "tenant"}
)
OF_LETTERS = OF_EVENTS | BLOCKS | {"acknowledge", "figures", "link"}

_EVENTS = "events/"
_ANY_EVENT = "events/other.j2"
_SUFFIX = ".j2"

log = structlog.get_logger(__name__)


class Texts:
    """Ours, with those of a folder in their place."""

    def __init__(self, folder: Path | None = None) -> None:
        """TextRefused says which file is wrong, where, and why."""
        ours = names()
        self._ours = {name: _compiled(OURS, name) for name in ours}
        self._own = {name: _compiled(folder, name) for name in _found(folder, ours)}

    @property
    def own(self) -> Collection[str]:
        """The names of the operator's files."""
        return self._own.keys()

    def said(self, event: str, block: str, values: Mapping[str, Any]) -> str:
        """One block of an event's text."""
        named = f"{_EVENTS}{event}{_SUFFIX}"
        for name in (named, _ANY_EVENT):
            if (own := self._own.get(name)) and block in own.blocks:
                try:
                    return own.render(values, block)
                except TextRefused as refused:
                    _complain(refused)
            if (text := self._ours.get(name)) and block in text.blocks:
                return text.render(values, block)
        return ""

    def letter(self, name: str, values: Mapping[str, Any]) -> str:
        """A whole letter."""
        if own := self._own.get(name):
            try:
                return own.render(values)
            except TextRefused as refused:
                _complain(refused)
        return self._ours[name].render(values)

    def try_own(self, event: str, values: Mapping[str, Any]) -> None:
        """Renders what the operator wrote for such a notice; TextRefused if it cannot be."""
        for name in (f"{_EVENTS}{event}{_SUFFIX}", _ANY_EVENT):
            if own := self._own.get(name):
                for block in own.blocks:
                    own.render(values, block)

    def try_letters(self, values: Mapping[str, Any]) -> None:
        """The same for letters."""
        for name, own in self._own.items():
            if not name.startswith(_EVENTS):
                own.render(values)


@cache
def texts(folder: Path | None) -> Texts:
    """Read and looked through once in the life of a process."""
    return Texts(folder)


@cache
def names() -> Collection[str]:
    """What texts there are, as files below a folder."""
    return sorted(str(path.relative_to(OURS)) for path in OURS.rglob(f"*{_SUFFIX}"))


def _found(folder: Path | None, known: Collection[str]) -> Collection[str]:
    if folder is None:
        return []
    failure: TextRefused
    try:
        if not folder.is_dir():
            raise TextRefused(f"{folder}: there is no such folder")
        found = sorted(
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
        )
    except OSError as error:
        failure = TextRefused(f"{folder}: {error.strerror}")
    else:
        if strange := [name for name in found if name not in known and name.endswith(_SUFFIX)]:
            raise TextRefused(
                f"{folder / strange[0]}: there is no text of this name; there are "
                f"{', '.join(known)}"
            )
        return [name for name in found if name in known]
    raise failure


def _compiled(folder: Path | None, name: str) -> Compiled:
    assert folder is not None
    path = folder / name
    shown = name if folder == OURS else str(path)
    failure: TextRefused
    try:
        with path.open("rb") as file:
            source = file.read(MOST_SOURCE + 1).decode()
    except OSError as error:
        failure = TextRefused(f"{shown}: {error.strerror}")
    except UnicodeDecodeError:
        failure = TextRefused(f"{shown}: it is no text in UTF-8")
    else:
        of_event = name.startswith(_EVENTS)
        compiled = Compiled(source, shown, variables=OF_EVENTS if of_event else OF_LETTERS)
        if of_event and (strange := set(compiled.blocks) - BLOCKS):
            raise TextRefused(
                f"{shown}: there is no block {min(strange)}; there are {', '.join(sorted(BLOCKS))}"
            )
        return compiled
    raise failure


def _complain(refused: TextRefused) -> None:
    """A notice is worth more than its wording: ours is sent instead."""
    log.error("notice.text_failed", error=str(refused))
