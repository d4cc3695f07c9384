"""The pacemaker: a worker ticks by itself when no process has heard a tick for a while.

So a dead broker or a dead beat makes work late by seconds, not stopped (law 1).
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import structlog

from services.operation.pulse import BEAT
from workers.crew import Crew

log = structlog.get_logger(__name__)

_PERIODS = 3  # and a heartbeat, which tells what the other workers heard
_THREADS = 4


class Pacemaker:
    """Watches for ticks while the worker lives."""

    def __init__(self, crew: Crew, *, period: float | None = None) -> None:
        """`period` is the tick's, in seconds, unless given."""
        self._crew = crew
        self._period = period or crew.runtime.settings.tick.total_seconds()
        self._patience = timedelta(seconds=_PERIODS * self._period) + BEAT
        self._under_way: set[UUID] = set()
        self._thread = threading.Thread(target=self._run, name="pacemaker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, within: float) -> None:
        self._thread.join(within)

    def _run(self) -> None:
        silent = False
        with ThreadPoolExecutor(_THREADS, "pacemaker") as pool:
            while not self._crew.stop.wait(self._period):
                quiet = self._crew.runtime.now() - self._crew.pulse.last_tick
                if quiet < self._patience:
                    silent = False
                    continue
                if not silent:
                    log.warning("pacemaker.ticking", silent_for=quiet.total_seconds())
                    silent = True
                self._tick(pool)

    def _tick(self, pool: ThreadPoolExecutor) -> None:
        try:
            self._crew.rotate()
            self._crew.expire()
            self._crew.chain()
            self._crew.check()
            for lane, troubled in self._crew.sweep():
                if lane not in self._under_way:
                    self._under_way.add(lane)
                    pool.submit(self._drain, lane, troubled=troubled)
        except Exception as error:  # noqa: BLE001 - the next period tries again
            log.warning("pacemaker.missed", error=type(error).__name__)

    def _drain(self, lane: UUID, *, troubled: bool) -> None:
        try:
            self._crew.drain(lane, troubled=troubled)
        except Exception as error:  # noqa: BLE001 - the lease runs out, the next tick finds it
            log.warning("pacemaker.drain_failed", lane=str(lane), error=type(error).__name__)
        finally:
            self._under_way.discard(lane)
