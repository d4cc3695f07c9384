"""A clock that a test moves by hand."""

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class ManualClock:
    """Stands still until it is moved; whoever waits for a moment moves it there."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def elapsed(self) -> float:
        return (self._now - START).total_seconds()

    def wait_until(self, moment: datetime, stop: threading.Event) -> bool:
        with self._lock:
            self._now = max(self._now, moment)
        return stop.is_set()

    def pass_(self, **length: float) -> datetime:
        """Moves on by this much: `clock.pass_(minutes=5)`."""
        with self._lock:
            self._now += timedelta(**length)
            return self._now
