"""How a cluster's API is called: by the official client, through checked connections."""

import json
from collections.abc import Mapping
from typing import Any

import urllib3
from kubernetes.client import ApiException, Configuration
from kubernetes.client.rest import RESTClientObject

from core.dial import Dialer
from sinks.deadline import Deadline
from sinks.kubernetes.access import Access
from sinks.kubernetes.errors import refused, unreached

MERGE = "application/merge-patch+json"

_LONGEST_ANSWER = 4_000_000  # bytes: a secret of 1 MiB in base64, and what the cluster adds


class Wire:
    """One cluster with one TLS identity; every send of an integration shares it."""

    def __init__(self, dialer: Dialer, access: Access) -> None:
        configuration = Configuration(host=access.server, proxy="", no_proxy="")
        configuration.retries = False
        configuration.connection_pool_maxsize = 8
        self._client = RESTClientObject(configuration)
        pools = self._client.pool_manager
        pools.pool_classes_by_scheme = dialer.pools()
        pools.connection_pool_kw["ssl_context"] = access.context()
        self._server = access.server.rstrip("/")
        self.token = access.token

    def call(
        self, deadline: Deadline, method: str, path: str, headers: Mapping[str, str], body: Any
    ) -> dict[str, Any]:
        """The answer's object. Unauthorized, Missing, Changed, or what it means for a send."""
        deadline.start_call()
        failure: Exception
        try:
            answer = self._client.request(  # type: ignore[no-untyped-call] # the client has none
                method,
                f"{self._server}{path}",
                headers={"Accept": "application/json", "User-Agent": "keyturn", **headers},
                body=body,
                _request_timeout=deadline.call,
            ).response
            found = _object(answer)
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            failure = unreached(error)
        else:
            if 200 <= answer.status < 300 and found:  # noqa: PLR2004 - what HTTP calls successful
                return found
            failure = refused(answer.status, answer.headers, found)
        raise failure  # outside the handler: the original may quote what was sent

    def close(self) -> None:
        self._client.close()


def _object(answer: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    """The body if it is a JSON object, else an empty one."""
    body = b""
    try:
        body = answer.read(_LONGEST_ANSWER + 1)
    finally:
        if len(body) > _LONGEST_ANSWER:
            answer.close()  # what is left unread must not be the next call's answer
        else:
            answer.release_conn()
    try:
        found = json.loads(body[:_LONGEST_ANSWER])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
