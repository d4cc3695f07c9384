"""How a generic store is called over HTTP, and the one place where its answers are read."""

import json
from collections.abc import Mapping
from typing import Any

import requests
from urllib3 import Timeout

from core.dial import Dialer
from core.errors import DestinationRefused, PlaceRefused, SendFailed, Transient
from sinks.deadline import Deadline, asked_to_wait
from sinks.endpoint import TrustFile

_LONGEST_ANSWER = 1_000_000  # bytes
_LATER = {
    408: "The store does not answer in time.",
    412: "The secret was changed at the same moment.",
    425: "The store asks to be called later.",
    429: "The store's rate limit is used up.",
    503: "The store is not available.",
}
_DESTINATION = {
    401: "The store does not take these headers as a login.",
    403: "The store does not let these headers do this.",
    407: "A proxy before the store wants a login of its own.",
}
_PLACE = {
    404: "The store has no place for this path.",
    409: "The store refuses this path: it is in conflict with something there.",
    413: "The store does not take a value of this size.",
}
_REDIRECTED = (
    "base_url redirects elsewhere, where Keyturn does not take its credentials: "
    "give the address that it redirects to."
)
_NOT_OURS = "base_url does not answer as a secret store would."


class Unsupported(Exception):
    """The store does not know this verb (405, 501)."""


class Missing(Exception):
    """Nothing is there (404, 410)."""


class Wire:
    """A store with one set of headers; every send of an integration shares it."""

    def __init__(
        self, dialer: Dialer, base_url: str, headers: Mapping[str, str], ca_bundle: str | None
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._trust = TrustFile(ca_bundle) if ca_bundle else None
        self._session = dialer.session()
        self._session.headers.clear()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "keyturn"})
        self._session.headers.update(headers)

    def call(
        self,
        deadline: Deadline,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str | None] | None = None,
        document: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """The answer's object and headers. Missing, Unsupported, or what it means for a send."""
        deadline.start_call()
        failure: Exception
        try:
            with self._session.request(
                method,
                f"{self._base_url}/{path}",
                json=document,
                headers=dict(headers or {}),
                timeout=Timeout(total=deadline.call),  # urllib3's will do
                verify=self._trust.path if self._trust else True,  # before the host's own bundle
                allow_redirects=False,  # the headers would go along to anybody
                stream=True,
            ) as answer:
                if not answer.ok or answer.status_code >= 300:  # noqa: PLR2004
                    failure = _refused(answer)
                else:
                    return _object(answer), answer.headers
        except OSError as error:  # what requests raises, and a trust file that is gone
            failure = _unreached(error)
        raise failure  # outside the handler: the original's request holds the token

    def close(self) -> None:
        self._session.close()
        if self._trust is not None:
            self._trust.remove()


def _object(answer: requests.Response) -> dict[str, Any]:
    """The body if it is a JSON object, else an empty one."""
    body = b""
    for chunk in answer.iter_content(65_536):
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused(answer: requests.Response) -> Exception:
    status = answer.status_code
    if status in {404, 410}:
        return Missing()
    if status in {405, 501}:
        return Unsupported()
    if status in _LATER or status >= 500:  # noqa: PLR2004 - the server's own errors
        return Transient(
            _LATER.get(status, f"The store answers {status}."),
            retry_after=asked_to_wait(answer.headers),
            throttled=status == 429,  # noqa: PLR2004 - too many requests
        )
    if status in _DESTINATION:
        return DestinationRefused(_DESTINATION[status])
    if status >= 400:  # noqa: PLR2004 - what is wrong with the request
        return PlaceRefused(_PLACE.get(status, f"The store refuses this path ({status})."))
    return DestinationRefused(_REDIRECTED if answer.is_redirect else _NOT_OURS)


def _unreached(error: OSError) -> SendFailed:
    if isinstance(error, requests.Timeout):
        return Transient("The store does not answer in time.")
    if isinstance(error, requests.exceptions.SSLError) and "VERIFY_FAILED" in str(error):
        return DestinationRefused("The store's certificate is not trusted: give its ca_bundle.")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return DestinationRefused("base_url is not an address that can be called.")
    return Transient(f"The store cannot be reached ({type(error).__name__}).")


def not_a_store() -> DestinationRefused:
    return DestinationRefused(_NOT_OURS)


def no_place() -> PlaceRefused:
    return PlaceRefused(_PLACE[404])
