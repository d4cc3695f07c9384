"""Tokens that Google gives for what a service account's key has signed."""

from contextlib import suppress
from typing import Any

import requests
from google.auth import jwt
from pydantic import SecretStr
from urllib3 import Timeout

from core.errors import DestinationRefused, SendFailed, Transient
from core.plugins import Ports
from sinks.deadline import Deadline, asked_to_wait
from sinks.google.errors import unreached
from sinks.google.identity import SCOPE, Granted
from sinks.google.key import ServiceAccountKey

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_SECONDS = 3600


class KeyGrant:
    """Exchanges JWTs that a service account's key signs."""

    def __init__(self, key: ServiceAccountKey, address: str) -> None:
        self._key = key
        self._address = address

    def __call__(self, ports: Ports, deadline: Deadline) -> Granted:
        """One call. DestinationRefused if Google does not take the key."""
        form = {"grant_type": _GRANT, "assertion": self._assertion(ports)}
        deadline.start_call()
        failure: SendFailed
        try:
            with ports.dialer.session() as session:
                timeout = Timeout(total=deadline.call)
                told = _granted(
                    session.post(self._address, data=form, timeout=timeout, allow_redirects=False)
                )
        except OSError as error:
            failure = unreached(error)
        else:
            if isinstance(told, Granted):
                return told
            failure = told
        raise failure  # outside the handler: the original's request holds the assertion

    def _assertion(self, ports: Ports) -> str:
        now = int(ports.clock.now().timestamp())
        claims = {
            "iss": self._key.client_email,
            "scope": SCOPE,
            "aud": self._address,
            "iat": now,
            "exp": now + _LONGEST_SECONDS,
        }
        encode: Any = jwt.encode
        signed: bytes = encode(self._key.signer, claims)
        return signed.decode()


def _granted(answer: requests.Response) -> Granted | SendFailed:
    status = answer.status_code
    if status == 429 or status >= 500:  # noqa: PLR2004 - Google's own trouble
        return Transient(
            "Google gives out no tokens at the moment.",
            retry_after=asked_to_wait(answer.headers),
            throttled=status == 429,  # noqa: PLR2004
        )
    if 400 <= status < 500:  # noqa: PLR2004 - what is wrong with the assertion
        return DestinationRefused(
            "Google does not take the service account's key: it was deleted or disabled, or the "
            "clock of Keyturn's host is wrong."
        )
    found: Any = None
    with suppress(ValueError, RecursionError):  # the error would quote it
        found = answer.json() if status == 200 else None  # noqa: PLR2004
    token = found.get("access_token") if isinstance(found, dict) else None
    if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
        return DestinationRefused("What answers is not Google's token endpoint.")
    seconds = found.get("expires_in")
    return Granted(SecretStr(token), seconds if isinstance(seconds, int) else _LONGEST_SECONDS)
