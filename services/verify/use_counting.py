"""Counts uses of tokens in memory, and writes them down every few seconds."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog

from core.callers import LONGEST, SHOWN, Caller, Seen, Tally
from core.ids import new_id
from services.runtime import Runtime
from services.verify.use_rows import Batch, store

log = structlog.get_logger(__name__)

PERIOD = 5.0  # seconds
_SHARE = 20  # of the time, one part is spent with writing at most
_MOST_IN_BATCH = 500
_MOST_TOKENS = 50_000
_MOST_CALLERS = 100_000
_MOST_OF_ONE = 2 * SHOWN


class UseCounter:
    """What one process has counted since it last wrote; any thread may call `count`.

    Its memory is bounded: beyond the bounds uses count without their callers, then not at all,
    until it has written. A batch that could not be written is tried again, and never added
    twice. Uses that were not written when the process dies are lost.
    """

    def __init__(self, runtime: Runtime, process: UUID | None = None) -> None:
        self._runtime = runtime
        self._process = process or new_id()
        self._lock = threading.Lock()
        self._tallies: dict[UUID, Tally] = {}
        self._callers = 0
        self._batches: deque[Batch] = deque()
        self._number = 0
        self._wake, self._stop = threading.Event(), threading.Event()

    def count(
        self, token_id: UUID, address: str | None, user_agent: str | None, surface: str
    ) -> None:
        """The token was good once more: from there, by this client, on this surface."""
        now = self._runtime.clock.now()
        caller = Caller(address, user_agent and user_agent[:LONGEST], surface)
        with self._lock:
            tally = self._tallies.get(token_id)
            if tally is not None:
                tally.count += 1
                tally.last_used_at = now
            elif len(self._tallies) < _MOST_TOKENS:
                tally = self._tallies[token_id] = Tally(1, now)
            else:
                self._wake.set()
                return
            self._remember(tally, caller, now)

    def _remember(self, tally: Tally, caller: Caller, now: datetime) -> None:
        callers = tally.callers
        seen = callers.get(caller)
        if seen is not None:
            callers[caller] = Seen(seen.times + 1, now)
            return
        if len(callers) >= _MOST_OF_ONE:
            del callers[min(callers, key=lambda one: callers[one])]
        elif self._callers < _MOST_CALLERS:
            self._callers += 1
        else:
            self._wake.set()
            return
        callers[caller] = Seen(1, now)

    def flush(self) -> None:
        """Writes down what was counted; what cannot be written now waits for the next time."""
        self._write()
        self._batches.extend(self._taken())
        self._write()

    def _write(self) -> None:
        while self._batches:
            store_next = partial(store, process=self._process, batch=self._batches[0])
            self._runtime.database.write(store_next)
            self._batches.popleft()

    def _taken(self) -> Iterator[Batch]:
        with self._lock:
            tallies, self._tallies, self._callers = self._tallies, {}, 0
        counted = sorted(tallies.items())
        for start in range(0, len(counted), _MOST_IN_BATCH):
            self._number += 1
            yield Batch(self._number, dict(counted[start : start + _MOST_IN_BATCH]))

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts what the runtime's callers use, writes in a thread of its own, and at the end."""
        before, self._runtime.uses = self._runtime.uses, self
        thread = threading.Thread(target=self._run, name="uses", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._runtime.uses = before
            self._stop.set()
            self._wake.set()
            thread.join(10)
            self._try()

    def _run(self) -> None:
        pause = PERIOD
        while not self._stop.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            began = self._runtime.clock.elapsed()
            self._try()
            pause = max(PERIOD, _SHARE * (self._runtime.clock.elapsed() - began))

    def _try(self) -> None:
        try:
            self.flush()
        except Exception as error:  # noqa: BLE001 - the next time tries again
            log.warning("uses.unwritten", error=type(error).__name__)
