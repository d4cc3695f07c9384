"""TokenSource: a callable that answers the current token, whatever was rotated meanwhile."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, Self

from keyturn_client.errors import TokenUnavailable
from keyturn_client.files import FileOrigin
from keyturn_client.keyturn_api import ApiOrigin
from keyturn_client.vault import VaultOrigin

_log = logging.getLogger("keyturn_client")
_PATIENCE = 30.0  # seconds to wait for another thread's look, should its store drip


class Origin(Protocol):
    """Where a token is kept. Its text names the place, and no secret."""

    @property
    def interval(self) -> float:
        """Seconds for which a token that was read is good; 0: look at every call."""

    @property
    def pause(self) -> float:
        """Seconds to leave a place alone that failed, or whose token was refused unchanged."""

    def fetch(self, *, anew: bool) -> str:
        """The token there now; `anew` believes no memory. TokenUnavailable says what is wrong."""


class TokenSource:
    """Answers the current token when it is called; give it to a client as its `api_key`.

    Safe in any number of threads: one of them looks, the others get what is known meanwhile.
    While the place does not answer, the last good token goes on being answered: `trouble` says
    why, and so does one warning of the logger `keyturn_client`. TokenUnavailable is raised only
    while no token was ever had, and by `refresh`.
    """

    def __init__(self, origin: Origin, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads nothing yet. `clock` counts seconds."""
        self._origin = origin
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._trouble: str | None = None
        self._refused = False
        self._looks = 0
        self._failures = 0
        self._look_from = self._anew_from = float("-inf")

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        field: str | None = None,
        variable: str | None = None,
    ) -> Self:
        """A file that holds the token alone, in a field of JSON, or in a variable of dotenv.

        Every call looks whether the file was replaced, which costs some microseconds.
        """
        return cls(FileOrigin(path, field=field, variable=variable))

    @classmethod
    def from_vault(
        cls,
        address: str,
        path: str,
        *,
        mount: str = "secret",
        field: str = "token",
        token: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        namespace: str | None = None,
        ca_bundle: str | os.PathLike[str] | None = None,
        interval: float = 60.0,
        timeout: float = 5.0,
    ) -> Self:
        """A field of a secret in a KV v2 engine of Vault or OpenBao, asked every `interval` s.

        `token_file` is read for every look, as an agent keeps it up to date.
        """
        return cls(
            VaultOrigin(
                address,
                path,
                mount=mount,
                field=field,
                token=token,
                token_file=token_file,
                namespace=namespace,
                ca_bundle=ca_bundle,
                interval=interval,
                timeout=timeout,
            )
        )

    @classmethod
    def from_keyturn(
        cls,
        url: str,
        account_id: str,
        *,
        bearer: str | Callable[[], str] | None = None,
        bearer_file: str | os.PathLike[str] | None = None,
        ca_bundle: str | os.PathLike[str] | None = None,
        interval: float = 300.0,
        timeout: float = 5.0,
    ) -> Self:
        """A virtual account's token by Keyturn's API, asked every `interval` seconds.

        The bearer needs `read-token` on the account; Keyturn audits every look.
        """
        return cls(
            ApiOrigin(
                url,
                account_id,
                bearer=bearer,
                bearer_file=bearer_file,
                ca_bundle=ca_bundle,
                interval=interval,
                timeout=timeout,
            )
        )

    def __call__(self) -> str:
        """The current token."""
        token = self._known()
        return self._look() if token is None else token

    async def async_token(self) -> str:
        """The same for `AsyncOpenAI(api_key=...)`; whatever has to wait waits in a thread."""
        token = self._known()
        return await asyncio.to_thread(self._look) if token is None else token

    def refresh(self) -> str:
        """Looks now, whatever is known; TokenUnavailable if that fails."""
        self._refused, self._anew_from = True, float("-inf")
        token = self._look()
        if self._trouble is not None:
            raise TokenUnavailable(self._trouble)
        return token

    def invalidate(self, refused: str | None = None) -> None:
        """Says that the token was answered with 401: the next call looks before it answers.

        With the refused token nothing happens if a newer one is known already. A place that still
        holds the refused token is looked at again after a short pause, not with every call.
        """
        if refused is None or refused == self._token:
            self._refused = True

    def on_unauthorized(self, response: Any) -> None:
        """A response hook of httpx and httpx2: a 401 makes the next call look anew.

        If there is a newer token, the answer bears `x-should-retry: true`, by which OpenAI's SDK
        repeats the call.
        """
        refused = _refused_by(response)
        if refused is not None:
            self.invalidate(refused)
            _ask_for_repeat(response, refused, self._or_none())

    async def async_on_unauthorized(self, response: Any) -> None:
        """The same for asynchronous clients."""
        refused = _refused_by(response)
        if refused is not None:
            self.invalidate(refused)
            _ask_for_repeat(response, refused, await asyncio.to_thread(self._or_none))

    @property
    def trouble(self) -> str | None:
        """Why the last look failed; None if it did not."""
        return self._trouble

    def __repr__(self) -> str:
        return f"TokenSource({self._origin})"

    def _known(self) -> str | None:
        """The token, unless it is time to look."""
        now = self._clock()
        is_due = now >= self._look_from or (self._refused and now >= self._anew_from)
        return None if is_due else self._token

    def _or_none(self) -> str | None:
        try:
            return self()
        except TokenUnavailable:
            return None

    def _look(self) -> str:
        """One look at a time: who needs its outcome waits for it, the others take what is known."""
        looks = self._looks
        waits = self._token is None or self._refused
        if self._lock.acquire(blocking=waits, timeout=_PATIENCE if waits else -1):
            try:
                if self._looks == looks or self._refused:
                    self._fetch()
            finally:
                self._lock.release()
        if self._token is None:
            raise TokenUnavailable(self._trouble or f"{self._origin}: another look takes too long")
        return self._token

    def _fetch(self) -> None:
        anew, self._refused = self._refused, False
        before, trouble = self._token, None
        try:
            self._token = self._origin.fetch(anew=anew)
        except TokenUnavailable as error:
            trouble = f"{self._origin}: {error}"
        now = self._clock()
        if trouble is None:
            self._failures = 0
            self._look_from = now + self._origin.interval
        else:
            waits = self._origin.pause * 2 ** min(self._failures, 10)
            self._failures += 1
            self._look_from = now + min(waits, self._origin.interval)
        if self._token == before:
            self._anew_from = now + self._origin.pause if anew else self._anew_from
        else:
            self._refused, self._anew_from = False, float("-inf")
        self._tell(trouble)
        self._looks += 1

    def _tell(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None and self._token is not None:
            _log.warning("%s; the last good token is kept", trouble)
        elif trouble is None and self._trouble is not None:
            _log.info("%s answers again", self._origin)
        self._trouble = trouble


def _refused_by(response: Any) -> str | None:
    """The bearer token that got 401; None for any other answer."""
    scheme, _, token = response.request.headers.get("Authorization", "").partition(" ")
    return token if response.status_code == 401 and scheme.lower() == "bearer" else None  # noqa: PLR2004 - an HTTP status


def _ask_for_repeat(response: Any, refused: str, token: str | None) -> None:
    if token not in (None, refused):
        response.headers["x-should-retry"] = "true"
