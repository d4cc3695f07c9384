"""How Secret Manager is called: one attempt per call, over REST, by checked connections.

Google's library makes the messages. Its session is replaced, its retries are not used.
"""

import logging
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import rest
from google.protobuf.json_format import Error as NotAMessage
from pydantic import SecretStr
from urllib3 import Timeout

from core.dial import Dialer
from core.plugins import Ports
from sinks.deadline import Deadline
from sinks.google.errors import Refused, not_google, refused, unreached
from sinks.google.identity import Identity

_GARBLED = (NotAMessage, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class GoogleWire:
    """One host of Secret Manager; every send of an integration shares it."""

    def __init__(self, dialer: Dialer, host: str) -> None:
        logging.getLogger(rest.__name__).setLevel(logging.INFO)  # below that it writes payloads
        nobody: Any = AnonymousCredentials
        transport: Any = rest.SecretManagerServiceRestTransport
        self._transport = transport(host=host, credentials=nobody())
        self._transport.close()
        session = dialer.session()
        session.headers["User-Agent"] = "keyturn"
        session.hooks["response"].append(_demand_success)
        self._transport._session = session  # noqa: SLF001 - there is no public way to say so

    def call(self, operation: str, request: Any, token: SecretStr, deadline: Deadline) -> Any:
        """Calls once; the answer's message. Refused is Google's answer, all else is SendFailed.

        Ours is raised outside the handler of the original, whose request holds the token.
        """
        deadline.start_call()
        failure: Exception
        try:
            return getattr(self._transport, operation)(
                request,
                timeout=Timeout(total=deadline.call),
                metadata=[("authorization", f"Bearer {token.get_secret_value()}")],
            )
        except Refused as found:
            failure = found
        except OSError as error:
            failure = unreached(error)
        except _GARBLED:
            failure = not_google()
        raise failure

    def close(self) -> None:
        self._transport.close()


def _demand_success(answer: requests.Response, **_: Any) -> None:
    if answer.status_code // 100 != 2:  # noqa: PLR2004 - none is followed, none is repeated
        raise refused(answer)


class GoogleCalls:
    """Secret Manager as one send calls it; a token that Google refuses is replaced once."""

    def __init__(
        self, wire: GoogleWire, identity: Identity, ports: Ports, deadline: Deadline
    ) -> None:
        self._wire = wire
        self._identity = identity
        self._ports = ports
        self._deadline = deadline

    def call(self, operation: str, request: Any) -> Any:
        """Calls; Refused says by which code Google refuses."""
        token = self._identity.token(self._ports, self._deadline)
        try:
            return self._wire.call(operation, request, token, self._deadline)
        except Refused as found:
            if found.code != "UNAUTHENTICATED":
                raise
        token = self._identity.token(self._ports, self._deadline, refused=token)
        return self._wire.call(operation, request, token, self._deadline)

    def do(self, operation: str, request: Any) -> Any:
        """Calls; what Google refuses is raised as what that means for the send."""
        try:
            return self.call(operation, request)
        except Refused as found:
            meaning = found.meaning
        raise meaning
