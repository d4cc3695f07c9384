"""How moments, lengths of time and numbers read in the console."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from markupsafe import Markup

from core.durations import write_duration

_UNITS = (
    ("year", timedelta(days=365)),
    ("month", timedelta(days=30)),
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", timedelta(seconds=1)),
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(value: datetime) -> str:
    """2 Mar 2026, 09:00 UTC."""
    value = value.astimezone(UTC)
    return f"{day(value)}, {value:%H:%M} UTC"


def day(value: Any) -> str:
    """2 Mar 2026."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def apart(length: timedelta) -> str:
    """A length of time in its largest unit: 3 hours."""
    length = abs(length)
    for name, unit in _UNITS:
        count = round(length / unit)
        if length >= unit or (count and unit <= timedelta(minutes=1)):
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "a moment"


def relative(value: datetime, now: datetime) -> str:
    """In 3 hours; 2 days ago."""
    if value == now:
        return "now"
    return f"in {apart(value - now)}" if value > now else f"{apart(now - value)} ago"


def when(value: datetime | None, now: datetime, absent: str = "never") -> str:
    """A moment as people think of it, the exact one at hand."""
    if value is None:
        return absent
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.astimezone(UTC).isoformat(timespec="seconds"), moment(value), relative(value, now)
    )


def stamp(value: datetime | None, absent: str = "never") -> str:
    """The exact moment, for tables that are read to the minute."""
    if value is None:
        return absent
    return Markup('<time datetime="{}">{}</time>').format(
        value.astimezone(UTC).isoformat(timespec="seconds"), moment(value)
    )


def number(value: float) -> str:
    """1,234,567."""
    return f"{value:,}"


def count(value: int, one: str, several: str = "") -> str:
    """1 account; 2,000 accounts."""
    return f"{value:,} {one if value == 1 else several or one + 's'}"


def duration(value: timedelta | None, absent: str = "none") -> str:
    return absent if value is None else write_duration(value)


def combine(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both together; the other wins."""
    return {**one, **other}


def as_yaml(value: Any) -> str:
    """A manifest as people write it into a file."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


FILTERS: dict[str, Callable[..., Any]] = {
    "moment": moment,
    "day": day,
    "when": when,
    "stamp": stamp,
    "relative": relative,
    "number": number,
    "count": count,
    "duration": duration,
    "yaml": as_yaml,
    "combine": combine,
}
