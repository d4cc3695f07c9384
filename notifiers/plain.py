"""Values as people read them: one line, no token, times where the reader lives."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.tokens import without_tokens

LONGEST_VALUE = 300

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
# With what follows it, so that a second one right behind it goes, too.
_TOKEN = re.compile(r"tfy_([a-z]{3})_\w{8,}", re.ASCII)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def readable(value: Any, timezone: str = "UTC") -> str:
    """A fact as one line of at most 300 characters; nothing for what is unknown or empty."""
    if value is None:
        return ""
    if isinstance(value, list | tuple | set | frozenset):
        told = ", ".join(readable(one, timezone) for one in value)
        return shortened(told, LONGEST_VALUE)
    found = instant(value)
    return moment(found, timezone) if found else shortened(one_line(value), LONGEST_VALUE)


def instant(value: Any) -> datetime | None:
    """The moment that a fact is; None for every other one."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def moment(at: datetime, timezone: str = "UTC") -> str:
    """A time as a reader there has it: `2026-03-02 10:00 CET (UTC+1)`, or `2026-03-02 09:00 UTC`.

    It has seconds unless they are 0. A zone that nobody knows is UTC.
    """
    try:
        local = at.astimezone(_zone(timezone))
    except OverflowError:  # at the ends of the calendar
        local = at
    return f"{local:%Y-%m-%d %H:%M:%S}".removesuffix(":00") + f" {_zone_name(local)}"


def one_line(value: Any) -> str:
    """Text without control characters, tokens and runs of blanks: a name breaks no header or line.

    What turns the direction of writing and what is only half a character counts as control.
    """
    plain = "".join(c if c.isprintable() else " " for c in str(value))
    return " ".join(masked(plain).split())


def masked(text: str) -> str:
    """A belt beside the braces: whatever looks like a token is not told to anybody."""
    return without_tokens(_TOKEN.sub(r"tfy_\1_***", text))


def shortened(text: str, most: int) -> str:
    """`text`, or as much of it as fits into `most` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


@lru_cache(1_024)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
        return UTC


def _zone_name(local: datetime) -> str:
    """What the zone is called there then, and its distance from UTC, which is never ambiguous."""
    offset = local.utcoffset() or timedelta()
    hours, rest = divmod(abs(offset), _HOUR)
    minutes = f":{rest // _MINUTE:02}" if rest else ""
    distance = f"UTC{'-' if offset < timedelta() else '+'}{hours}{minutes}" if offset else "UTC"
    name = local.tzname() or ""
    return f"{name} ({distance})" if name.isalpha() and name != "UTC" else distance
