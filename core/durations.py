"""Lengths of time as people write them: `90s`, `30m`, `12h`, `7d`, `1d12h`, ISO 8601 `P45D`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:\d+(?:\.\d+)?[wdhms])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")
_ISO = TypeAdapter(timedelta)
_LONGEST = timedelta(days=36_500)
_FORMS = "give a duration like 90s, 30m, 12h, 7d or P45D"


def parse_duration(value: Any) -> timedelta:
    """The length of time that `value` says; ValueError names the forms that are allowed."""
    if isinstance(value, timedelta):
        length = value
    elif isinstance(value, str) and _WRITTEN.fullmatch(value.strip()):
        seconds = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(value))
        length = timedelta(seconds=min(seconds, _LONGEST.total_seconds() + 1))
    elif isinstance(value, str) and value.strip().startswith("P"):
        length = _read_iso(value.strip())
    else:
        raise ValueError(_FORMS)
    if not timedelta(0) <= length <= _LONGEST:
        raise ValueError("give a duration between 0 and 100 years")
    return length


def write_duration(length: timedelta) -> str:
    """The shortest of the written forms: 1 day and 12 hours is `1d12h`, nothing is `0s`."""
    seconds, below = divmod(length, timedelta(seconds=1))
    parts = []
    for unit in "dhm":
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if seconds or below:
        parts.append(f"{seconds}.{below.microseconds:06}".rstrip("0").rstrip(".") + "s")
    return "".join(parts) or "0s"


def spoken(length: timedelta) -> str:
    """As people say it, to the minute and in two words at most: `6 days 23 hours`."""
    minutes = round(length / timedelta(minutes=1))
    said = []
    for word, size in (("day", 1_440), ("hour", 60), ("minute", 1)):
        count, minutes = divmod(minutes, size)
        if count:
            said.append(f"{count} {word}{'s' * (count > 1)}")
    return " ".join(said[:2]) or "less than a minute"


def _read_iso(text: str) -> timedelta:
    try:
        return _ISO.validate_python(text)
    except ValidationError:
        raise ValueError(_FORMS) from None  # pydantic's words quote what was given


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
