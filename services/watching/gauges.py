"""How the installation is at this moment, for Prometheus: read from the database when it is asked.

Every query walks an index over what is pending or late, and counts as far as it matters.
"""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from models import (
    OPEN,
    AuditRow,
    Delivery,
    Installation,
    Lane,
    LaneState,
    Process,
    VirtualAccount,
)
from services.keys import SILENT
from services.runtime import Runtime

COUNTED = 100_000


class Gauges(Collector):
    """The same for every process of an installation that is asked: take the maximum of them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All gauges; of a database that is away only that it is."""
        try:
            with self._runtime.database.reading() as session:
                found = list(self._all(session))
        except SQLAlchemyError:
            found = []
        yield GaugeMetricFamily("keyturn_database_up", "Whether it answers.", bool(found))
        yield from found

    def _all(self, session: Session) -> Iterator[GaugeMetricFamily]:
        now = self._runtime.now()
        overdue = select(VirtualAccount.id).where(
            VirtualAccount.due_at <= now - SILENT, VirtualAccount.next_rotation_at <= now - SILENT
        )
        yield GaugeMetricFamily(
            "keyturn_accounts_overdue",
            f"Accounts whose rotation is late, counted up to {COUNTED}.",
            _counted(session, overdue),
        )
        yield GaugeMetricFamily(
            "keyturn_audit_unchained",
            f"Audit rows that are not chained yet, counted up to {COUNTED}.",
            _counted(session, select(AuditRow.id).where(AuditRow.number.is_(None))),
        )
        yield from self._lanes(session)
        processes = GaugeMetricFamily(
            "keyturn_processes", "Live processes of the installation.", labels=["kind"]
        )
        for kind, count in session.execute(
            select(Process.kind, func.count())
            .where(Process.seen_at > now - SILENT)
            .group_by(Process.kind)
        ):
            processes.add_metric([kind], count)
        yield processes
        until = session.scalar(select(Installation.clock_distrusted_until))
        yield GaugeMetricFamily(
            "keyturn_clock_distrusted",
            "1 while nothing is minted or expired, because the clock was stepped.",
            until is not None and until > now,
        )

    def _lanes(self, session: Session) -> Iterator[GaugeMetricFamily]:
        now = self._runtime.now()
        lanes = GaugeMetricFamily(
            "keyturn_lanes",
            "Lanes to stores and channels: open, paused by refusals, or broken (not answering).",
            labels=["kind", "state"],
        )
        pending = GaugeMetricFamily(
            "keyturn_deliveries_pending",
            f"Deliveries that wait or are under way, counted up to {COUNTED} in all.",
            labels=["kind"],
        )
        broken = Lane.probe_at.is_not(None)
        for kind, state, is_broken, count in session.execute(
            select(Lane.kind, Lane.state, broken, func.count()).group_by(
                Lane.kind, Lane.state, broken
            )
        ):
            named = "broken" if is_broken and state is LaneState.OPEN else state.value
            lanes.add_metric([kind, named], count)
        waiting = select(Delivery.lane_id).where(Delivery.state.in_(OPEN)).limit(COUNTED).subquery()
        for kind, count in session.execute(
            select(Lane.kind, func.count(waiting.c.lane_id))
            .outerjoin(waiting, waiting.c.lane_id == Lane.id)
            .group_by(Lane.kind)
        ):
            pending.add_metric([kind], count)
        yield lanes
        yield pending
        slept = session.scalar(
            select(func.min(Lane.wake_at)).where(
                Lane.wake_at <= now, or_(Lane.leased_until.is_(None), Lane.leased_until <= now)
            )
        )
        yield GaugeMetricFamily(
            "keyturn_lane_lag_seconds",
            "How long the lane that waits longest for a worker has been worth looking at.",
            (now - slept).total_seconds() if slept else 0,
        )


def _counted(session: Session, rows: Select[Any]) -> int:
    counted = select(func.count()).select_from(rows.limit(COUNTED).subquery())
    return session.scalar(counted) or 0
