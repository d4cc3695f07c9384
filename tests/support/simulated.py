"""A worker in simulated time: its threads, its ticks, and stores that answer late or never."""

import heapq
import threading
from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from core.errors import Transient
from services.operation.pulse import Pulse
from services.runtime import Runtime
from tests.support.manual_clock import ManualClock
from workers.crew import Crew

_SECOND = timedelta(seconds=1)
_RINGING = timedelta(milliseconds=10)  # from a ring to the task it begins
_STALE = timedelta(seconds=5)


class SimulatedClock(ManualClock):
    """Waiting takes no time. Sends are each at a moment of their own, side by side.

    All others are at the moment at which the latest send began: what a drain itself does takes
    no time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.local()

    def now(self) -> datetime:
        return getattr(self._own, "began", None) or self._now

    def elapsed(self) -> float:
        """What its send took, for a thread that has just sent."""
        ended: datetime | None = getattr(self._own, "ended", None)
        return (ended or self.now()).timestamp()

    def wait_until(self, moment: datetime, stop: threading.Event) -> bool:
        if threading.current_thread().name.startswith("send"):
            self._own.began, self._own.ended = moment, None
        return super().wait_until(moment, stop)

    def answer(self, latency: timedelta) -> datetime:
        """The send of this thread is answered so much later; then the thread is free again."""
        ended: datetime = self.now() + latency
        self._own.began, self._own.ended = None, ended
        return ended

    def hang(self, length: timedelta) -> None:
        """The same, and the whole drain waits for it."""
        super().wait_until(self.answer(length), threading.Event())

    def jump(self, moment: datetime) -> None:
        """Begins anew at a moment, which may be an earlier one."""
        self._now = moment


@dataclass
class LimitedStore:
    """Takes so many writes in any second of its own clock; answers 429 to those beyond."""

    clock: SimulatedClock
    per_second: int
    latency: timedelta
    hangs: dict[int, timedelta] = field(default_factory=dict)  # how long, at which write
    taken: list[datetime] = field(default_factory=list)
    throttled: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> None:
        """One write: when a store's script says `always`, this is it."""
        moment = self.clock.now()
        with self.lock:
            insort(self.taken, moment)
            if self._is_beyond(moment):
                self.throttled += 1
                raise Transient("429", throttled=True, retry_after=_SECOND)
            hangs = self.hangs.pop(len(self.taken), None)
        if hangs is None:
            self.clock.answer(self.latency)
        else:
            self.clock.hang(hangs)

    def _is_beyond(self, moment: datetime) -> bool:
        near = [one for one in self.taken if abs(one - moment) < _SECOND]
        late = near[self.per_second :]
        return any(b - a < _SECOND for a, b in zip(near, late, strict=False))


@dataclass
class DeadStore:
    """Every call is lost; whoever made it learns that only by its own timeout."""

    clock: SimulatedClock
    timeout: timedelta
    calls: int = 0

    def take(self) -> None:
        self.calls += 1
        self.clock.hang(self.timeout)
        raise Transient("timed out")


@dataclass
class _Bell:
    rung: list[tuple[UUID, bool]] = field(default_factory=list)

    def ring_lanes(self, lanes: Iterable[UUID], *, troubled: bool = False) -> None:
        self.rung += [(lane, troubled) for lane in lanes]

    def ring_rotation(self) -> None: ...


class SimulatedWorker:
    """One worker with its threads for calm and for troubled lanes, and a tick every second.

    What it does is what a worker does; only who does it when is simulated, in the order of
    time: a drain begins when it is rung and a thread is free, and lasts as long as its sends.
    """

    def __init__(self, runtime: Runtime, clock: SimulatedClock, *, threads: int = 8) -> None:
        self._clock = clock
        self._bell = _Bell()
        self.runtime = replace(runtime, clock=clock, bell=self._bell)
        self._crew = Crew(self.runtime, Pulse(self.runtime, "worker"))
        now = clock.now()
        self._free = {False: [now] * threads, True: [now] * max(threads // 4, 2)}
        self._busy: dict[UUID, datetime] = {}
        self._events: list[tuple[datetime, int, datetime, tuple[UUID, bool] | None]] = []
        self._numbers = count()
        self._push(now, None)

    def run(self, is_done: Callable[[], bool], *, at_most: timedelta) -> None:
        """Works until it is done, or for so long."""
        until = self._clock.now() + at_most
        while not is_done():
            moment, _, rung_at, task = heapq.heappop(self._events)
            assert moment < until, "not done in time"
            if task is None:
                self._clock.jump(moment)
                self._crew.sweep()
                self._push(moment + _SECOND, None)
            else:
                self._task(moment, rung_at, *task)
            self._hear()

    def _task(self, moment: datetime, rung_at: datetime, lane: UUID, troubled: bool) -> None:
        free = self._free[troubled]
        thread = free.index(min(free))
        begins = max(moment, free[thread])
        if begins - rung_at > _STALE or self._busy.get(lane, begins) > begins:
            return
        if begins > moment:
            heapq.heappush(self._events, (begins, next(self._numbers), rung_at, (lane, troubled)))
            return
        self._clock.jump(begins)
        self._crew.drain(lane, troubled=troubled)
        free[thread] = self._busy[lane] = self._clock.now()

    def _hear(self) -> None:
        for task in dict.fromkeys(self._bell.rung):
            self._push(self._clock.now() + _RINGING, task)
        self._bell.rung.clear()

    def _push(self, moment: datetime, task: tuple[UUID, bool] | None) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), moment, task))
