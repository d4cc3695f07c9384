"""How GitHub is called, and the one place where its answers are understood."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from core.clock import Clock
from core.dial import Dialer
from core.errors import DestinationRefused, PlaceRefused, SendFailed, Transient
from sinks.deadline import LONGEST_WAIT, Deadline, asked_to_wait
from sinks.github.auth import AppAuth, Lease, Login, TokenAuth
from sinks.rest_wire import Answer, RestWire

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_UNSAID_WAIT = timedelta(minutes=1)  # docs.github.com, "Exceeding the rate limit"
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_PLACE = {
    403: "These credentials may not write secrets and variables there.",
    410: "GitHub has no secrets there any more.",
    413: "GitHub does not take a value of this size.",
}
_LATER = {
    408: "GitHub does not answer in time.",
    409: "The secret's variable was written at the same moment.",
}


class GitHubWire:
    """GitHub for one set of credentials; every send of an integration shares it."""

    def __init__(
        self, dialer: Dialer, base_url: str, auth: TokenAuth | AppAuth, ca_bundle: str | None
    ) -> None:
        self._rest = RestWire(dialer, base_url, _HEADERS, ca_bundle)
        self._auth = auth
        self._login = Login(auth) if isinstance(auth, AppAuth) else None

    def call(
        self,
        clock: Clock,
        deadline: Deadline,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """What GitHub answers; None if nothing is there, or none of these credentials' business.

        An installation token that has ended is replaced once.
        """
        lease = self.lease(clock, deadline)
        answer = self._ask(deadline, method, path, lease, document)
        if answer.status == _UNAUTHORIZED and lease is not None:
            lease = self.lease(clock, deadline, refused=lease)
            answer = self._ask(deadline, method, path, lease, document)
        if answer.is_good:
            return answer.body
        if answer.status == _NOT_FOUND:
            return None
        raise _refused(answer, clock)

    def lease(
        self, clock: Clock, deadline: Deadline, *, refused: Lease | None = None
    ) -> Lease | None:
        """The installation's token; None where a token of the user's own is sent."""
        if self._login is None:
            return None

        def exchange(signed: str) -> dict[str, Any]:
            return self._exchange(signed, clock, deadline)

        return self._login.lease(exchange, clock, wait=deadline.call, refused=refused)

    def close(self) -> None:
        self._rest.close()

    def _ask(
        self,
        deadline: Deadline,
        method: str,
        path: str,
        lease: Lease | None,
        document: Mapping[str, Any] | None,
    ) -> Answer:
        if lease is not None:
            token = lease.token
        else:
            assert isinstance(self._auth, TokenAuth)
            token = self._auth.token
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        return self._rest.ask(deadline, method, path, headers=headers, document=document)

    def _exchange(self, signed: str, clock: Clock, deadline: Deadline) -> dict[str, Any]:
        assert isinstance(self._auth, AppAuth)
        answer = self._rest.ask(
            deadline,
            "POST",
            f"app/installations/{self._auth.installation_id}/access_tokens",
            headers={"Authorization": f"Bearer {signed}"},
        )
        if answer.is_good:
            return answer.body
        failure = _refused(answer, clock)
        if isinstance(failure, PlaceRefused):
            failure = DestinationRefused(
                "GitHub gives no token for this installation_id: it is not one of this App, was "
                "suspended, or base_url is wrong."
            )
        raise failure


def _refused(answer: Answer, clock: Clock) -> SendFailed:
    status = answer.status
    if _is_limit(answer):
        wait = _asked_to_wait(answer, clock)
        return Transient("GitHub's rate limit is used up.", retry_after=wait, throttled=True)
    if status in _LATER or status >= 500:  # noqa: PLR2004 - GitHub's own errors
        wait_or_none = asked_to_wait(answer.headers)
        said = _LATER.get(status, f"GitHub answers {status}.")
        return Transient(said, retry_after=wait_or_none)
    if status == _UNAUTHORIZED:
        return DestinationRefused("GitHub does not take these credentials.")
    if answer.is_elsewhere and "url" in answer.body:
        return PlaceRefused("The repository was renamed or moved: write its path of today.")
    if status >= 400:  # noqa: PLR2004 - what is wrong with the request
        return PlaceRefused(_PLACE.get(status, f"GitHub refuses this secret ({status})."))
    return not_github()


def _is_limit(answer: Answer) -> bool:
    if answer.status != _FORBIDDEN:
        return answer.status == _TOO_MANY
    used_up = answer.headers.get("x-ratelimit-remaining") == "0"
    return (
        used_up
        or "Retry-After" in answer.headers
        or "rate limit" in str(answer.body.get("message")).lower()
    )


def _asked_to_wait(answer: Answer, clock: Clock) -> timedelta:
    """As long as Retry-After says, else until the limit's reset, else a minute; an hour at most."""
    asked = asked_to_wait(answer.headers)
    if asked is not None:
        return asked
    reset = answer.headers.get("x-ratelimit-reset") or ""
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdigit():
        until = datetime.fromtimestamp(int(reset[:10]), UTC) - clock.now()
        return min(max(until, timedelta(0)), LONGEST_WAIT)
    return _UNSAID_WAIT


def not_github() -> DestinationRefused:
    return DestinationRefused("base_url does not answer as GitHub's API would.")
