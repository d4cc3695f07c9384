"""What fields of manifests have in common: names, days, addresses."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

_NAME = re.compile(r"[a-z][a-z0-9-]{1,34}[a-z0-9]")
_ADDRESS = re.compile(r"[^@\s<>,;:\"]{1,64}@[^@\s<>,;:\"]{1,255}")
# PostgreSQL's text and UTF-8 cannot hold these.
UNTEXT = re.compile("[\0\ud800-\udfff]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def check_name(name: str) -> str:
    """The one rule for names; ValueError says what is allowed."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            "a name has 3 to 36 characters: lowercase letters, digits and hyphens; "
            "it starts with a letter and ends with a letter or digit"
        )
    return name


def _day(value: Any) -> Any:
    """A date as text: pydantic would read a number as seconds."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("give a date like 2026-12-31")


def end_of(day: date) -> datetime:
    """The end of that day, UTC: what expires on it is valid through it."""
    if day == date.max:  # which has no next day
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)


def _address(text: str) -> str:
    if not (_ADDRESS.fullmatch(text) and text.isprintable()):
        raise ValueError("give an e-mail address like ops@example.com")
    return text


def check_zone(name: str) -> str:
    """The name of a time zone; ValueError unless there is one."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
        raise ValueError("give an IANA time zone like Europe/Berlin") from None
    return name


Name = Annotated[str, AfterValidator(check_name)]
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(check_zone)]
Day = Annotated[date, BeforeValidator(_day)]
Email = Annotated[str, AfterValidator(_address)]


class Part(BaseModel):
    """A piece of a manifest: what it does not know it refuses."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )
