"""Waking lanes: those that have something to send now, and those whose digest is due later."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from models import Lane, LaneState
from services import bulk

Row = dict[str, Any]


def wake(
    session: Session,
    deliveries: Sequence[Row],
    patient: Sequence[Row],
    *,
    now: datetime,
    window: timedelta,
) -> set[UUID]:
    """Wakes the lanes of these new deliveries, and answers those that have work at once.

    What is `patient` becomes due at the end of the window, where its channel puts notices
    together. Locks the lanes in order of their ids.
    """
    lanes = {row["lane_id"] for row in deliveries}
    if not lanes:
        return lanes
    locked = session.execute(
        select(Lane.id, Lane.most_in_digest)
        .where(bulk.among(session, Lane.id, sorted(lanes)))
        .order_by(Lane.id)
        .with_for_update(key_share=True)
    ).all()
    if window:
        gathering = {row.id for row in locked if row.most_in_digest > 1}
        for row in patient:
            if row["lane_id"] in gathering:
                row["due_at"] = now + window
    at_once = {row["lane_id"] for row in deliveries if row["due_at"] <= now}
    for moment, some in ((now, at_once), (now + window, lanes - at_once)):
        if some:
            session.execute(
                update(Lane)
                .where(
                    bulk.among(session, Lane.id, sorted(some)),
                    Lane.state == LaneState.OPEN,
                    or_(Lane.wake_at.is_(None), Lane.wake_at > moment),
                )
                .values(wake_at=moment)
                .execution_options(synchronize_session=False)
            )
    return at_once
