"""What stands in an answer of Google's that is no success. All of it is text of somebody else."""

import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

import requests

from sinks.deadline import LONGEST_WAIT, asked_to_wait

_SECONDS = re.compile(r"([0-9]{1,9})(\.[0-9]{1,9})?s")
_CODES = {
    401: "UNAUTHENTICATED",
    408: "DEADLINE_EXCEEDED",
    412: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
}


class ErrorAnswer:
    """An error by its canonical code, its reason and what it asks for; each may be empty."""

    def __init__(self, answer: requests.Response) -> None:
        found: Any = None
        with suppress(ValueError, RecursionError):  # a proxy's page, which the error would quote
            found = answer.json()
        error = _dict(_dict(found).get("error"))
        details = error.get("details")
        self._details = [_dict(it) for it in details] if isinstance(details, list) else []
        about = next((it for it in self._details if "reason" in it), {})
        code = error.get("status")
        self.is_google = bool(error)
        self.code = code if isinstance(code, str) else _code(answer.status_code)
        self.message = str(error.get("message", ""))
        self.reason = str(about.get("reason", ""))
        self.permission = str(_dict(about.get("metadata")).get("permission", ""))
        self.asked = asked_to_wait(answer.headers) or self._asked()

    def _asked(self) -> timedelta | None:
        """What a RetryInfo asks for, an hour at most."""
        for detail in self._details:
            if told := _SECONDS.fullmatch(str(detail.get("retryDelay", ""))):
                return min(timedelta(seconds=float(told[0][:-1])), LONGEST_WAIT)
        return None


def _dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _code(status: int) -> str:
    """For an answer that does not say its code."""
    return _CODES.get(status, "UNAVAILABLE" if status >= 500 else "")  # noqa: PLR2004
