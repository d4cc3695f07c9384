"""A JSON API over HTTP, called through checked connections: each call one try, one timeout."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from urllib3 import Timeout

from core.dial import Dialer
from core.errors import DestinationRefused, SendFailed, Transient
from sinks.deadline import Deadline
from sinks.endpoint import TrustFile

_LONGEST_ANSWER = 1_000_000  # bytes


@dataclass(frozen=True)
class Answer:
    """What a service said, whatever the status; `body` is empty where it is no JSON object."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: dict[str, Any] = field(repr=False)

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - what HTTP calls successful

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is a redirect, which nobody follows."""
        return 300 <= self.status < 400 and "Location" in self.headers  # noqa: PLR2004 - as above


class RestWire:
    """One service with one set of headers; every send of an integration shares it."""

    def __init__(
        self, dialer: Dialer, base_url: str, headers: Mapping[str, str], ca_bundle: str | None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._trust = TrustFile(ca_bundle) if ca_bundle else None
        self._session = dialer.session()
        self._session.headers.clear()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "keyturn"})
        self._session.headers.update(headers)

    def ask(
        self,
        deadline: Deadline,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str | None] | None = None,
        params: Mapping[str, str] | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> Answer:
        """The answer, whatever it is; `path` is quoted. Transient or DestinationRefused if none."""
        deadline.start_call()
        try:
            with self._session.request(
                method,
                f"{self.base_url}/{path}",
                params=params,
                json=document,
                headers=dict(headers or {}),
                timeout=Timeout(total=deadline.call),  # urllib3's will do
                verify=self._trust.path if self._trust else True,  # before the host's own bundle
                allow_redirects=False,  # the headers would go along to anybody
                stream=True,
            ) as answer:
                return Answer(answer.status_code, answer.headers, _said(answer))
        except OSError as error:  # what requests raises, and a trust file that is gone
            failure = _unreached(error)
        raise failure  # outside the handler: the original's request holds the token

    def close(self) -> None:
        self._session.close()
        if self._trust is not None:
            self._trust.remove()


def _said(answer: requests.Response) -> dict[str, Any]:
    """The object in the body; a refusal is one, even if its body breaks off."""
    try:
        return _object(answer)
    except OSError:
        if answer.ok:
            raise
    return {}


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


def _unreached(error: OSError) -> SendFailed:
    if isinstance(error, requests.Timeout):
        return Transient("The store does not answer in time.")
    if isinstance(error, requests.exceptions.SSLError) and "VERIFY_FAILED" in str(error):
        return DestinationRefused("The store's certificate is not trusted: give its ca_bundle.")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return DestinationRefused("base_url is not an address that can be called.")
    return Transient(f"The store cannot be reached ({type(error).__name__}).")
