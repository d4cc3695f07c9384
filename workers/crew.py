"""What a worker does when it is rung. Ticks and rings call these; so does the pacemaker."""

import threading
from uuid import UUID

import structlog

from services.audit import audit_chain, audit_pruning
from services.delivery import draining, drift, lanes
from services.engine import expiry, rotation
from services.notices import reminding, standing_in
from services.operation import housekeeping
from services.operation.pulse import Pulse
from services.runtime import Runtime

log = structlog.get_logger(__name__)


class Crew:
    """One worker's hands. Everything it does is safe to do twice and at any time."""

    def __init__(self, runtime: Runtime, pulse: Pulse) -> None:
        self.runtime = runtime
        self.stop = threading.Event()
        self.pulse = pulse
        self._chaining = threading.Lock()

    def rotate(self) -> None:
        """One batch of due accounts; rings for the next if this one was full."""
        if self._may_act():
            done = rotation.rotate_due(self.runtime)
            if done.turned or done.failed:
                log.info("rotated", turned=done.turned, waiting=done.waiting, failed=done.failed)
            if done.claimed >= self.runtime.settings.rotation_batch:
                self.runtime.bell.ring_rotation()

    def sweep(self) -> list[tuple[UUID, bool]]:
        """Rings every lane that is worth looking at; answers which, and which are troubled."""
        with self.runtime.database.reading() as session:
            due = lanes.due_lanes(session, self.runtime.now())
        self.runtime.bell.ring_lanes([lane for lane, troubled in due if not troubled])
        self.runtime.bell.ring_lanes([lane for lane, troubled in due if troubled], troubled=True)
        return due

    def drain(self, lane: UUID, *, troubled: bool) -> None:
        """One slice of one lane. A lane whose last send failed waits for the troubled queue."""
        if self.stop.is_set():
            return
        drained = draining.drain(self.runtime, lane, calm_only=not troubled, stop=self.stop)
        if drained.troubled:
            self.runtime.bell.ring_lanes([lane], troubled=True)
        elif drained.more and not self.stop.is_set():
            self.runtime.bell.ring_lanes([lane], troubled=troubled)

    def expire(self) -> None:
        """Records the ends of tokens, and tells what is due."""
        if self._may_act():
            for sweep in (
                expiry.expire_due,
                expiry.tell_due,
                reminding.remind_due,
                reminding.remind_owners_due,
            ):
                while sweep(self.runtime) >= expiry.BATCH and not self.stop.is_set():
                    pass

    def check(self) -> None:
        """Asks what stores hold, where that is due; passes on what dead channels cannot tell."""
        standing_in.pass_on_due(self.runtime)
        while drift.check_due(self.runtime) >= drift.BATCH and not self.stop.is_set():
            pass

    def chain(self) -> None:
        """Chains the audit log's new rows; in one thread of a worker, whatever the ticks say."""
        if self._chaining.acquire(blocking=False):
            try:
                audit_chain.chain_due(self.runtime, self.stop)
            finally:
                self._chaining.release()

    def prune(self) -> None:
        """Deletes what is past its retention, in batches."""
        if self._may_act():
            while housekeeping.prune(self.runtime) >= housekeeping.BATCH:
                if self.stop.is_set():
                    return
            while audit_pruning.prune_due(self.runtime, self.stop):
                pass

    def _may_act(self) -> bool:
        """Nothing irreversible while the clock is not trusted, or at shutdown (law 13)."""
        return self.pulse.trusts_clock() and not self.stop.is_set()
