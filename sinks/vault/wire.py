"""How Vault is called: each call ends before its send's deadline, each failure is one of ours."""

from http import HTTPStatus
from typing import Any

import requests
from hvac.adapters import RawAdapter
from urllib3 import Timeout

from core.dial import Dialer
from sinks.deadline import Deadline
from sinks.endpoint import TrustFile
from sinks.vault.errors import json_of, refused, unreached


class Wire(RawAdapter):  # type: ignore[misc] # hvac has no types
    """Vault's answers as dicts; a path that is not there has no `data`.

    Raises Transient, PlaceRefused, DestinationRefused, or Denied.
    """

    def __init__(
        self,
        session: requests.Session,
        url: str,
        deadline: Deadline,
        *,
        token: str = "",
        namespace: str | None = None,
    ) -> None:
        super().__init__(
            base_uri=url,
            token=token,
            namespace=namespace,
            session=session,
            timeout=Timeout(total=deadline.call),
            allow_redirects=False,  # requests would take the Vault token along to anybody
        )
        self._deadline = deadline

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._deadline.start_call()
        kwargs["raise_exception"] = False
        failure: Exception
        try:
            answer = super().request(method, url, *args, **kwargs)
        except OSError as error:  # what requests raises, and a trust file that is gone
            failure = unreached(error)
        else:
            found = _understood(answer)
            if found is not None:
                return found
            failure = refused(answer)
        raise failure  # outside the handler: the original's request holds the token


def open_session(dialer: Dialer, trust: TrustFile | None) -> requests.Session:
    """Connections that several threads may share; the host's own logins are not used."""
    session: requests.Session = dialer.session()
    session.verify = trust.path if trust else True
    return session


def _understood(response: requests.Response) -> dict[str, Any] | None:
    """What a 200, a 204 or an honest 404 says; None if it is a refusal."""
    if response.status_code == HTTPStatus.NO_CONTENT:
        return {}
    body = json_of(response)
    if response.status_code == HTTPStatus.OK:
        return body or None
    if response.status_code != HTTPStatus.NOT_FOUND:
        return None
    data = body.get("data")
    if isinstance(data, dict) and "metadata" in data:
        return body  # the latest version is deleted
    return {"data": None} if body.get("errors") == [] else None
