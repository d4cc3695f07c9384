"""Calls to identity providers: one JSON document each, bounded in time and size.

Every connection goes where the dialer allows; no redirect is followed.
"""

import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from core.dial import Dialer
from core.errors import Permanent, Transient
from core.wire import Deadline, trusting

TIME = 4.0  # seconds for one call
_LONGEST = 512_000  # bytes of an answer


def ask(
    dialer: Dialer,
    url: str,
    *,
    ca_bundle: str = "",
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON object that is answered, by POST if there is a form.

    Of a refusal that is no such object only the status is told. Transient if nobody answers in
    time, or as hoped; Permanent if nobody may be asked. Neither quotes what was sent or answered.
    """
    parts = urlsplit(url)
    if parts.hostname is None:
        raise Permanent("The address has no host.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Accept": "application/json", "User-Agent": "keyturn", **(headers or {})}
    body = None
    if form is not None:
        body = urlencode(form)
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    with Deadline(dialer, TIME) as deadline:
        connection = _connection(parts.scheme, parts.hostname, parts.port, ca_bundle)
        connection._create_connection = deadline.connect  # type: ignore[attr-defined]  # noqa: SLF001 - http.client's own way in
        try:
            connection.request("GET" if form is None else "POST", path, body, sent)
            answer = connection.getresponse()
            text = answer.read(_LONGEST + 1)
        except ssl.SSLCertVerificationError:
            failure = Transient(f"{parts.hostname}'s certificate is not trusted: give ca_bundle.")
        except (OSError, HTTPException, ValueError) as error:
            failure = Transient(f"{parts.hostname} does not answer ({type(error).__name__}).")
        else:
            return answer.status, _object(text, parts.hostname, answer.status)
        finally:
            connection.close()
    raise failure  # outside the handler: the original may quote what was sent


def look_up(dialer: Dialer, url: str, *, ca_bundle: str = "") -> dict[str, Any]:
    """The JSON object at this address; Transient or Permanent if it is not to be had."""
    status, found = ask(dialer, url, ca_bundle=ca_bundle)
    if status != HTTPStatus.OK:
        raise Transient(f"{urlsplit(url).hostname} answered {status}.")
    return found


def _connection(scheme: str, host: str, port: int | None, ca_bundle: str) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, context=trusting(ca_bundle))
    return HTTPConnection(host, port)


def _object(text: bytes, host: str, status: int) -> dict[str, Any]:
    found: Any = None
    if len(text) <= _LONGEST:
        with suppress(ValueError, RecursionError):
            found = json.loads(text)
    if isinstance(found, dict):
        return found
    if status != HTTPStatus.OK:
        return {}
    if len(text) > _LONGEST:
        raise Transient(f"{host} answered more than {_LONGEST:,} bytes.")
    raise Transient(f"{host} answered no JSON object.")
