"""How a generic store is called over HTTP, and the one place where its answers are read."""

from collections.abc import Mapping
from typing import Any

from core.errors import DestinationRefused, PlaceRefused, Transient
from sinks.deadline import Deadline, asked_to_wait
from sinks.rest_wire import Answer, RestWire

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


class Wire(RestWire):
    """A store with one set of headers; every send of an integration shares it."""

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
        answer = self.ask(deadline, method, path, headers=headers, document=document)
        if not answer.is_good:
            raise _refused(answer)
        return answer.body, answer.headers


def _refused(answer: Answer) -> Exception:
    status = answer.status
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
    return DestinationRefused(_REDIRECTED if answer.is_elsewhere else _NOT_OURS)


def not_a_store() -> DestinationRefused:
    return DestinationRefused(_NOT_OURS)


def no_place() -> PlaceRefused:
    return PlaceRefused(_PLACE[404])
