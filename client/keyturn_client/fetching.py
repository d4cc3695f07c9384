"""One bounded GET that answers JSON; a connection of its own, so that forks share nothing."""

import json
import os
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from keyturn_client.errors import TokenUnavailable
from keyturn_client.files import read
from keyturn_client.whole import whole

_LONGEST = 1_048_576


class Endpoint:
    """A server that is asked for a token."""

    def __init__(
        self, url: str, *, timeout: float, ca_bundle: str | os.PathLike[str] | None
    ) -> None:
        """ValueError if the URL is none that may be shown: http or https, without a password."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError("give an address like https://keys.example.com, without a password")
        if parts.query or parts.fragment:
            raise ValueError("the address has no ? and no #")
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._ca_bundle = ca_bundle
        self._tls: ssl.SSLContext | None = None

    def get(self, path: str, headers: Mapping[str, str]) -> Any:
        """The JSON at this path. TokenUnavailable for anything but 200, quoting no body.

        Each phase takes the timeout at most, and the body may not drip for longer than that.
        """
        failure = ""
        try:
            status, body = self._answer(f"{self.url}{path}", headers)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            failure = f"no answer ({type(error).__name__})"
        except OSError as error:  # the bundle of authorities
            failure = f"ca_bundle: {error.strerror or type(error).__name__}"
        if failure:
            raise TokenUnavailable(failure)
        if status != httpx.codes.OK:
            raise TokenUnavailable(_said(status))
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            pass
        raise TokenUnavailable("the answer is not JSON")

    def _answer(self, url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        with (
            httpx.Client(timeout=self._timeout, verify=self._verified()) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            deadline = time.monotonic() + self._timeout
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _LONGEST or time.monotonic() > deadline:
                    raise TokenUnavailable("the answer is too long or too slow")
            return response.status_code, body

    def _verified(self) -> ssl.SSLContext | bool:
        if not self.url.startswith("https:"):
            return False
        if self._tls is None:
            if self._ca_bundle is None:
                self._tls = httpx.create_ssl_context()
            else:
                self._tls = ssl.create_default_context(cafile=os.fspath(self._ca_bundle))
        return self._tls


def credential(
    what: str, given: str | Callable[[], str] | None, file: str | os.PathLike[str] | None
) -> Callable[[], str]:
    """Answers what to log in with, read anew from its file each time.

    ValueError unless exactly one of the two is given.
    """
    if (given is None) == (file is None):
        raise ValueError(f"give {what} or {what}_file")

    def answered() -> str:
        if file is None:
            return whole(given() if callable(given) else given or "")
        failure = ""
        try:
            return whole(read(file)[0])
        except OSError as error:
            failure = error.strerror or type(error).__name__
        except TokenUnavailable as error:
            failure = str(error)
        raise TokenUnavailable(f"{what}_file {os.fspath(file)}: {failure}")

    return answered


def _said(status: int) -> str:
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirects
        return f"it redirects ({status}), which is not followed: give the final address"
    return {
        401: "it does not take our credentials (401)",
        403: "our credentials do not allow this, or have ended (403)",
        404: "there is no such secret or account (404)",
        409: "the account has no valid token (409)",
    }.get(status, f"it answers with status {status}")
