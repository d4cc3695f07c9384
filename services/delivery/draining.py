"""Draining a lane: a slice of a few seconds of claim, send, settle, claim again.

Law 11: at most the lane's `concurrency` sends at a time, each at its own instant. A drain
says that it wants another slice only when there is more to do now; otherwise it leaves
`wake_at` behind.
"""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from uuid import UUID

import structlog
from sqlalchemy import select

from core import backoff
from core.errors import KeyturnError, PluginNotInstalled, PluginUnknown
from core.plugins import Family, Plugin
from models import Installation, Lane
from services.delivery import lanes
from services.delivery.claimed import Claimed
from services.delivery.claiming import claim
from services.delivery.judging import BREAKER_OPENS, pause
from services.delivery.lanes import START_WITHIN, Turn
from services.delivery.sending import Outcome, Result, send
from services.delivery.settling import settle
from services.runtime import Runtime

log = structlog.get_logger(__name__)

SLICE = timedelta(seconds=5)
_SETTLE_ROWS = 100
_SETTLE_SECONDS = 0.05
_PATIENCE = 1.0  # seconds: no more is claimed than can start within this
_AHEAD = 8  # times the concurrency: enough to send while the last batch is settled


@dataclass(frozen=True)
class Drained:
    """What one slice did; `more` says that the lane is worth another slice now.

    `troubled`: nothing was done, since the lane's last send failed and only calm ones were
    wanted.
    """

    sent: int = 0
    more: bool = False
    troubled: bool = False


def drain(
    runtime: Runtime,
    lane_id: UUID,
    *,
    calm_only: bool = False,
    slice_: timedelta = SLICE,
    stop: threading.Event | None = None,
) -> Drained:
    """Sends what is due on this lane. Nothing happens while another process drains it.

    Ends early, with everything settled, once `stop` is set.
    """
    if calm_only and _is_troubled(runtime, lane_id):
        return Drained(troubled=True)
    turn = runtime.database.write(
        lambda session: lanes.take_turn(session, lane_id, runtime.now(), slice_)
    )
    if turn is None:
        return Drained()
    sent, free_at = 0, turn.until - slice_
    plugin = _open(runtime, turn)
    if plugin is not None:
        slice_of_lane = _Slice(runtime, turn, plugin, stop or threading.Event())
        sent, free_at = slice_of_lane.run(), slice_of_lane.free_at
    wake_at = runtime.database.write(
        lambda session: lanes.hand_back(session, turn, free_at=free_at)
    )
    more = plugin is not None and wake_at is not None and wake_at <= runtime.now()
    return Drained(sent, more)


def _is_troubled(runtime: Runtime, lane_id: UUID) -> bool:
    with runtime.database.reading() as session:
        lane = session.scalar(select(Lane).where(Lane.id == lane_id))
        return lane is not None and lane.is_troubled


def _open(runtime: Runtime, turn: Turn) -> Plugin | None:
    """The plugin; None leaves the lane to a worker that has it, or pauses a broken one."""
    try:
        return runtime.opened.plugin(turn.integration)
    except (PluginUnknown, PluginNotInstalled) as error:
        log.warning("lane.left", lane=str(turn.lane.id), kind=turn.lane.kind, error=str(error))
    except (KeyturnError, ValueError) as error:
        reason = f"its configuration cannot be used ({type(error).__name__})"
        log.warning("lane.unusable", lane=str(turn.lane.id), kind=turn.lane.kind, error=reason)
        runtime.change(lambda session, outbox: pause(session, outbox, turn, reason))
    return None


class _Slice:
    """One turn at one lane. Sends run in threads; this one claims and settles."""

    def __init__(self, runtime: Runtime, turn: Turn, plugin: Plugin, stop: threading.Event) -> None:
        self.runtime = runtime
        self.turn = turn
        self.plugin = plugin
        self.stop = stop
        self.epoch = _epoch(runtime)
        self.outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self.window = turn.lane.concurrency
        # Notices settle one by one, since a repeat is seen; a sink's repeat is a no-op.
        self.batch = 1 if turn.integration.family is Family.NOTIFIER else _SETTLE_ROWS
        self.sent = 0
        self.unanswered = 0
        self.ready: deque[tuple[Claimed, float]] = deque()
        self.pacing = threading.Lock()
        self.free_at = runtime.now()

    def run(self) -> int:
        """Claims, sends and settles until nothing is due or the turn is over."""
        under_way = 0
        claim_at: datetime | None = self.runtime.now()
        with ThreadPoolExecutor(self.turn.lane.concurrency, "send") as pool:
            while True:
                now = self.runtime.now()
                if self.stop.is_set() or now >= self.turn.until:
                    claim_at = None
                if claim_at is not None and now >= claim_at and under_way <= self.window // 2:
                    claimed, claim_at = self._claim(self.window - under_way)
                    self.ready.extend(claimed)
                    for _ in claimed:
                        pool.submit(self._send)
                    under_way += len(claimed)
                if under_way:
                    ended = self._ended(under_way)
                    under_way -= len(ended)
                    if ended:
                        self._settle(ended)
                        claim_at = claim_at or self.runtime.now()
                elif claim_at is None:
                    return self.sent
                elif claim_at > now:
                    self.runtime.clock.wait_until(min(claim_at, self.turn.until), self.stop)

    def _claim(self, most: int) -> tuple[list[tuple[Claimed, float]], datetime | None]:
        """What to send, each with the time (on the process's own clock) it must start by."""
        elapsed, now = self.runtime.clock.elapsed(), self.runtime.now()
        got = self.runtime.database.write(
            lambda session: claim(
                session,
                self.turn,
                now,
                most,
                not_before=self.free_at,
                first_cost=self.plugin.pace.first_cost,
                digests=bool(self.runtime.settings.digest_window),
            )
        )
        return [
            (one, elapsed + (one.send_at - now + START_WITHIN).total_seconds())
            for one in got.deliveries
        ], got.again_at

    def _send(self) -> None:
        """Waits for the next delivery's instant, then sends it.

        If those before it were late, it is late as well: what was held up must not go out in
        one burst. What was claimed ahead comes back unsent if it were too late, and once the
        destination has asked to wait or has stopped answering.
        """
        with self.pacing:
            claimed, start_by = self.ready.popleft()
            send_at = max(claimed.send_at, self.free_at, self.runtime.now())
            is_late = send_at > claimed.send_at + START_WITHIN
            if not is_late:
                self.free_at = send_at + claimed.uses
        stopped = is_late or self.runtime.clock.wait_until(send_at, self.stop)
        if stopped or self.unanswered >= BREAKER_OPENS:
            self.outcomes.put(Outcome(claimed, Result.UNSENT))
            return
        began = self.runtime.clock.elapsed()
        outcome = send(self.runtime, self.turn, self.plugin, claimed, self.epoch, start_by)
        took = max(self.runtime.clock.elapsed() - began, 0.001)
        kind, action = self.turn.lane.kind, claimed.action
        self.runtime.metrics.sent(kind, action.value, outcome.result.value, took)
        in_time = int(self.turn.lane.concurrency * _PATIENCE / took)
        self.window = max(min(in_time, _AHEAD * self.turn.lane.concurrency), 1)
        self.unanswered = self.unanswered + 1 if outcome.is_no_answer else 0
        if outcome.throttled and self.turn.lane.quota_key is not None:
            wait = outcome.retry_after or backoff.wait(1)
            with self.pacing:
                self.free_at = max(self.free_at, self.runtime.now() + wait)
        self.outcomes.put(outcome)

    def _ended(self, under_way: int) -> list[Outcome]:
        """The next batch of outcomes: a full one, or what came within the settling time."""
        ended: list[Outcome] = []
        settle_by = self.runtime.clock.elapsed() + _SETTLE_SECONDS
        with suppress(Empty):
            while len(ended) < min(self.batch, under_way):
                left = settle_by - self.runtime.clock.elapsed()
                ended.append(self.outcomes.get(timeout=max(left, 0.001)))
        return ended

    def _settle(self, outcomes: list[Outcome]) -> None:
        every = self.runtime.settings.drift_check
        self.runtime.change(
            lambda session, outbox: settle(
                session, outbox, self.turn, outcomes, check_after=every or None
            )
        )
        self.sent += sum(outcome.result is Result.DONE for outcome in outcomes)


def _epoch(runtime: Runtime) -> int:
    with runtime.database.reading() as session:
        return session.get_one(Installation, 1).epoch
