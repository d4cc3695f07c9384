"""The pulse of a process: its heartbeat row, and whether the clock can be trusted.

Law 13: when the database's time and the time since boot disagree by more than a minute
since the last look, something stepped the clock. For ten minutes nothing irreversible is
done (no mint, no recorded expiry, no prune), unless an operator says that the clock is right.
"""

import socket
import threading
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.clock import AnchoredClock
from core.events import EventType
from core.ids import new_id
from models import Installation, Process, Tenant
from services.outbox import Outbox
from services.runtime import Runtime

log = structlog.get_logger(__name__)

BEAT = timedelta(seconds=5)
_JUMP = timedelta(minutes=1)
_AGREEMENT = timedelta(minutes=10)
_WARN = timedelta(seconds=1)


class Pulse:
    """One process's pulse. `beat` is called every few seconds while it lives."""

    def __init__(self, runtime: Runtime, kind: str) -> None:
        self._runtime = runtime
        self._kind = kind
        self._id = new_id()
        self._distrusted_until: datetime | None = None
        self._ticked_at: datetime | None = None
        self._last_tick = runtime.now()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def trusts_clock(self) -> bool:
        """Whether irreversible work may be done now."""
        until = self._distrusted_until
        return until is None or until <= self._runtime.now()

    def hear_tick(self) -> None:
        """Beat lives: a tick has reached this process."""
        self._ticked_at = self._last_tick = self._runtime.now()

    @property
    def id(self) -> UUID:
        """The process's identity: that of its heartbeat row."""
        return self._id

    @property
    def last_tick(self) -> datetime:
        """When any process last heard a tick, as far as is known here; at first, the start."""
        return self._last_tick

    def beat(self) -> None:
        """Looks at the database's clock and renews the heartbeat row."""
        drift = self._look_at_clock()
        self._runtime.change(lambda session, outbox: self._record(session, outbox, drift))

    def start(self) -> None:
        """Beats in a thread of its own until `stop`; a database that is away is tried again."""
        self.beat()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and takes the heartbeat row away."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(BEAT.total_seconds())
        self._runtime.database.write(self._leave)

    def _run(self) -> None:
        while not self._stop.wait(BEAT.total_seconds()):
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 - the next beat tries again
                log.warning("pulse.missed", error=type(error).__name__)

    def _look_at_clock(self) -> timedelta:
        if not isinstance(self._runtime.clock, AnchoredClock):
            return timedelta(0)
        drift = self._runtime.clock.follow(self._runtime.database.now())
        if abs(drift) > _WARN:
            log.warning("clock.drifted", seconds=drift.total_seconds())
        return drift

    def _record(self, session: Session, outbox: Outbox, drift: timedelta) -> None:
        now = outbox.now
        installation = session.get_one(Installation, 1, with_for_update=abs(drift) > _JUMP)
        if abs(drift) > _JUMP:
            installation.clock_distrusted_until = now + _AGREEMENT
            facts = {"seconds": drift.total_seconds(), "seen_by": self._kind}
            for tenant in session.scalars(select(Tenant.id)):
                outbox.tell(tenant, EventType.CLOCK_JUMPED, facts=facts)
        self._distrusted_until = installation.clock_distrusted_until
        heard = session.scalar(select(func.max(Process.ticked_at)))
        self._last_tick = max(self._last_tick, heard or self._last_tick)
        row = session.get(Process, self._id)
        if row is None:
            session.add(
                Process(
                    id=self._id,
                    kind=self._kind,
                    host=socket.gethostname(),
                    master_key_ids=self._runtime.keyring.master_key_ids,
                    started_at=now,
                    seen_at=now,
                )
            )
        else:
            row.seen_at = now
            row.ticked_at = self._ticked_at

    def _leave(self, session: Session) -> None:
        row = session.get(Process, self._id)
        if row is not None:
            session.delete(row)


def trust_clock(runtime: Runtime, by: str) -> None:
    """An operator's word that the clock is right: work goes on at the next beat."""

    def use_case(session: Session, outbox: Outbox) -> None:
        installation = session.get_one(Installation, 1)
        if installation.clock_distrusted_until is None:
            return
        installation.clock_distrusted_until = None
        for tenant in session.scalars(select(Tenant)):
            outbox.audit(
                Actor.operator(tenant.id, by),
                "clock.trusted",
                subject_type="tenant",
                subject_id=tenant.id,
                subject_name=tenant.name,
            )

    runtime.change(use_case)
