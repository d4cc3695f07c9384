"""Why a scheduled rotation should wait, for the maximum hold at most.

Rotating into a store that cannot take the key only starts the clock towards a cut-off (law 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Delivery, DeliveryState, Lane, LaneState
from models.accounts import turn_by
from services import bulk
from services.engine.surroundings import Copying, Surroundings, Turnable

_COUNTED = 100_000


@dataclass(frozen=True)
class Waiting:
    """The state of the lanes that a batch's required places are on."""

    around: Surroundings
    lanes: dict[UUID, Lane]
    backlogs: dict[UUID, timedelta]
    now: datetime

    @classmethod
    def of(
        cls,
        session: Session,
        accounts: Sequence[Turnable],
        around: Surroundings,
        now: datetime,
    ) -> "Waiting":
        """Reads each lane once for the whole batch, and the backlog of those with a quota."""
        wanted = {
            place.lane_id
            for account in accounts
            for place in around.places[account.id]
            if place.required
        }
        if not wanted:
            return cls(around, {}, {}, now)
        lanes = session.scalars(select(Lane).where(bulk.among(session, Lane.id, wanted))).all()
        backlogs = {
            lane.id: timedelta(seconds=_pending(session, lane.id) * lane.cost / lane.per_second)
            for lane in lanes
            if lane.per_second
        }
        return cls(around, {lane.id: lane for lane in lanes}, backlogs, now)

    def reason(self, account: Turnable) -> str | None:
        """Why this account waits; None if it should go ahead."""
        assert account.next_rotation_at is not None
        if self.now - account.next_rotation_at >= account.max_hold:
            return None
        if (last := turn_by(account, account.jwt_expires_at)) and last <= self.now:
            return None
        for place in self.around.places[account.id]:
            if place.required and (reason := self._behind(account, place)):
                return reason
        return None

    def _behind(self, account: Turnable, place: Copying) -> str | None:
        lane = self.lanes[place.lane_id]
        if lane.state is LaneState.PAUSED:
            return f"the lane to {place.path} is paused: {lane.paused_because}"
        if lane.is_broken:
            return f"the store of {place.path} does not answer: {lane.last_error}"
        if place.confirmed_generation < account.generation:
            return f"{place.path} has not confirmed generation {account.generation}"
        if self.backlogs.get(lane.id, timedelta(0)) > account.grace / 2:
            return f"the store of {place.path} is busy for {self.backlogs[lane.id]}"
        return None


def _pending(session: Session, lane_id: UUID) -> int:
    """How many deliveries wait in this lane, counted as far as it matters."""
    waiting = (
        select(Delivery.id)
        .where(Delivery.lane_id == lane_id, Delivery.state == DeliveryState.PENDING)
        .limit(_COUNTED)
        .subquery()
    )
    return session.scalar(select(func.count()).select_from(waiting)) or 0
