"""How long a send may take, and how long a store may ask Keyturn to wait."""

from collections.abc import Mapping
from datetime import timedelta

from core.clock import Clock
from core.errors import Transient

LONGEST_WAIT = timedelta(hours=1)


class Deadline:
    """The end of one send, in seconds on the clock that is only ever ahead.

    A call starts only while it can still end in time: so a send takes `limit` at most.
    """

    def __init__(self, clock: Clock, *, limit: float, call: float) -> None:
        self.call = call
        self._clock = clock
        self._last_start = clock.elapsed() + limit - call

    def start_call(self) -> None:
        """Returns if there is time for one more call; otherwise the send is Transient."""
        if self._clock.elapsed() > self._last_start:
            raise Transient("The store answers too slowly for all the calls of one send.")

    def elapsed(self) -> float:
        return self._clock.elapsed()


def asked_to_wait(headers: Mapping[str, str]) -> timedelta | None:
    """What Retry-After asks for in seconds, an hour at most; None if it does not."""
    asked = headers.get("Retry-After") or headers.get("retry-after") or ""
    if not (asked.isascii() and asked.isdigit()):
        return None
    return timedelta(seconds=min(int(asked[:9]), LONGEST_WAIT.total_seconds()))
