"""What time it is: one reading per use case, anchored to the database's clock.

Law 13: `now` is an argument. A host's wall clock may be stepped or disagree with
other hosts, so a process reads the database's time now and then and goes on from
there by CLOCK_BOOTTIME, which no one can step and which counts through suspends.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Gives the present moment; aware, in UTC."""

    def now(self) -> datetime: ...

    def elapsed(self) -> float:
        """Seconds that only ever grow, for deadlines inside one process."""

    def wait_until(self, moment: datetime, stop: threading.Event) -> bool:
        """Waits for `moment`; True as soon as `stop` is set."""


def boot_seconds() -> float:
    """Seconds since boot, suspended time included; not affected by clock steps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class HostClock:
    """The host's own clock: right where the database is a file on the same host."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return boot_seconds()

    def wait_until(self, moment: datetime, stop: threading.Event) -> bool:
        return stop.wait(max((moment - self.now()).total_seconds(), 0))


class AnchoredClock:
    """A clock that follows another one (the database's) between readings of it."""

    def __init__(self, reading: datetime, elapsed: Callable[[], float] = boot_seconds) -> None:
        self._elapsed = elapsed
        self._anchor = (reading, elapsed())

    def now(self) -> datetime:
        reading, at = self._anchor
        return reading + timedelta(seconds=self._elapsed() - at)

    def elapsed(self) -> float:
        return self._elapsed()

    def wait_until(self, moment: datetime, stop: threading.Event) -> bool:
        return stop.wait(max((moment - self.now()).total_seconds(), 0))

    def follow(self, reading: datetime) -> timedelta:
        """Goes on from a new reading; answers by how much it differs from what was expected."""
        drift = reading - self.now()
        self._anchor = (reading, self._elapsed())
        return drift
