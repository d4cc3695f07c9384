"""How Google's own library reaches the outside, when it looks for the host's identity."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from google.auth import exceptions
from urllib3 import Timeout

from core.errors import Transient
from core.plugins import Ports
from sinks.deadline import Deadline
from sinks.google.errors import unreached


@dataclass(frozen=True)
class Answer:
    """What the library wants to know of an answer."""

    status: int
    headers: Any
    data: bytes


class Asking:
    """Asks by guarded connections, but for the metadata server. The library repeats nothing."""

    def __init__(self, ports: Ports, deadline: Deadline, metadata: frozenset[str]) -> None:
        self._deadline = deadline
        self._metadata = metadata
        self._guarded: Any = ports.dialer.session()
        self._near: Any = requests.Session()
        self._near.trust_env = False

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Any = None,
        timeout: float | None = None,
        **_: Any,
    ) -> Answer:
        self._deadline.start_call()
        target = urlsplit(url)
        session: Any = self._near if target.hostname in self._metadata else self._guarded
        seconds = min(timeout or self._deadline.call, self._deadline.call)
        failure: Exception
        try:
            answer = session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=Timeout(total=seconds),
                allow_redirects=False,
            )
        except OSError as error:
            failure = unreached(error)
            if target.path in {"", "/"}:  # the library asks whether there is a metadata server
                unanswered: Any = exceptions.TransportError
                failure = unanswered("no metadata server answers")
        else:
            if answer.status_code != 429 and answer.status_code < 500:  # noqa: PLR2004
                return Answer(answer.status_code, answer.headers, answer.content)
            failure = Transient("Google gives out no tokens at the moment.")
        raise failure

    def close(self) -> None:
        self._guarded.close()
        self._near.close()
