"""What a channel that is told by an HTTP POST answers, and what it means when it is no success."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from core.errors import DestinationRefused, PlaceRefused, SendFailed, Transient

_LONGEST_WAIT = timedelta(hours=1)
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_THIS_NOTICE = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


@dataclass(frozen=True)
class Answer:
    """What came back; of a body longer than 64 KB there is nothing."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def document(self) -> dict[str, Any]:
        """The body if it is a JSON object, else an empty one."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def refusal(who: str, answer: Answer, now: datetime, said: str = "") -> SendFailed:
    """What an answer means that is no success; `said` is the reason in the other side's words."""
    status = answer.status
    told = f"{status} {said}".strip()
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        throttled = status == HTTPStatus.TOO_MANY_REQUESTS
        why = "wants a pause" if throttled else "is in trouble"
        wait = _retry_after(answer.headers, now)
        return Transient(f"{who} {why} ({told})", retry_after=wait, throttled=throttled)
    if status in _THIS_NOTICE:
        return PlaceRefused(f"{who} does not take this notice ({told})")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return DestinationRefused(f"{who} redirects elsewhere ({told}): give that address itself")
    return DestinationRefused(f"{who} refused ({told})")


def _retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """What was asked for, in seconds or as a date, at most an hour; None if nothing sensible."""
    asked = headers.get("Retry-After") or ""
    if asked.isascii() and asked.isdigit():
        return min(timedelta(seconds=int(asked[:9])), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(asked)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(min(moment - now, _LONGEST_WAIT), timedelta())
