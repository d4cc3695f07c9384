"""The outbox of one use case: what it tells and sends, written in its own commit (law 3)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.actors import Actor
from core.events import AT_ONCE, SEVERITY, TOLD, EventType, Severity
from core.ids import new_id, recipient_id
from models import (
    Action,
    AuditRow,
    Delivery,
    DeliveryState,
    Event,
    Lane,
    LaneState,
    Place,
    Priority,
)
from services import bulk

Facts = Mapping[str, Any]

_PRIORITY = {Severity.CRITICAL: Priority.BREAK_GLASS, Severity.WARNING: Priority.MANUAL}


class Recipient(Protocol):
    """Somebody to tell; a mapped Target is one."""

    @property
    def tenant_id(self) -> UUID: ...
    @property
    def lane_id(self) -> UUID: ...
    @property
    def address(self) -> str: ...


class Spot(Protocol):
    """A place to write to; a mapped Place is one."""

    @property
    def tenant_id(self) -> UUID: ...
    @property
    def id(self) -> UUID: ...
    @property
    def account_id(self) -> UUID: ...
    @property
    def lane_id(self) -> UUID: ...
    @property
    def path(self) -> str: ...


class Outbox:
    """Collects events, deliveries and audit rows; `flush` writes them all at once."""

    def __init__(self, now: datetime, digest_window: timedelta = timedelta(0)) -> None:
        """What channels can put together waits for `digest_window`."""
        self.now = now
        self._digest_window = digest_window
        self.lanes: set[tuple[UUID, UUID]] = set()
        self._events: list[bulk.Row] = []
        self._deliveries: list[dict[str, Any]] = []
        self._patient: list[dict[str, Any]] = []
        self._audit: list[bulk.Row] = []
        self._superseded: list[UUID] = []

    def tell(
        self,
        tenant_id: UUID,
        event_type: EventType,
        *,
        facts: Facts,
        account_id: UUID | None = None,
        lane_id: UUID | None = None,
        targets: Iterable[Recipient] = (),
    ) -> UUID:
        """Records a fact, with a notice for each target; the same recipient only once."""
        event_id = new_id()
        self._events.append(
            {
                "tenant_id": tenant_id,
                "id": event_id,
                "type": event_type,
                "severity": int(SEVERITY[event_type]),
                "account_id": account_id,
                "lane_id": lane_id,
                "at": self.now,
                "facts": facts,
            }
        )
        if event_type in TOLD:
            told: set[UUID] = set()
            for target in targets:
                recipient = recipient_id(target.lane_id, target.address)
                if recipient not in told:
                    told.add(recipient)
                    self._deliver(
                        target.tenant_id,
                        target.lane_id,
                        event_id=event_id,
                        destination=recipient,
                        account_id=account_id,
                        action=Action.NOTICE,
                        address=target.address,
                        priority=_PRIORITY.get(SEVERITY[event_type], Priority.SCHEDULED),
                    )
                    if SEVERITY[event_type] < Severity.CRITICAL and event_type not in AT_ONCE:
                        self._patient.append(self._deliveries[-1])
        return event_id

    def put(
        self,
        event_id: UUID,
        place: Spot,
        *,
        revision: int,
        generation: int,
        priority: Priority,
    ) -> None:
        """The account's current token goes to this place, as this revision.

        What the store keeps beside the token is in the event's facts, which never change.
        """
        self._superseded.append(place.id)
        self._deliver(
            place.tenant_id,
            place.lane_id,
            event_id=event_id,
            destination=place.id,
            account_id=place.account_id,
            place_id=place.id,
            action=Action.PUT,
            document=place.path,
            revision=revision,
            generation=generation,
            priority=priority,
        )

    def remove(self, event_id: UUID, place: Place) -> None:
        """The copy that bears this place's mark goes away."""
        self._superseded.append(place.id)
        self._deliver(
            place.tenant_id,
            place.lane_id,
            event_id=event_id,
            destination=place.id,
            account_id=place.account_id,
            place_id=place.id,
            action=Action.REMOVE,
            document=place.path,
            revision=place.revision,
            priority=Priority.MANUAL,
        )

    def check(
        self,
        event_id: UUID,
        place: Spot,
        *,
        revision: int,
        generation: int,
        priority: Priority,
    ) -> None:
        """The store is asked what this place holds, which should be this revision."""
        self._deliver(
            place.tenant_id,
            place.lane_id,
            event_id=event_id,
            destination=place.id,
            account_id=place.account_id,
            place_id=place.id,
            action=Action.CHECK,
            document=place.path,
            revision=revision,
            generation=generation,
            priority=priority,
        )

    def supersede(self, place: Place) -> None:
        """What is pending for this place is not sent any more."""
        self._superseded.append(place.id)

    def audit(
        self,
        actor: Actor,
        action: str,
        *,
        subject_type: str,
        subject_id: UUID | None,
        subject_name: str,
        detail: Facts | None = None,
    ) -> None:
        """Who did what to what; never with a token or credential in `detail`."""
        self._audit.append(
            {
                "tenant_id": actor.tenant_id,
                "id": new_id(),
                "at": self.now,
                "actor": actor.audited,
                "action": action,
                "subject_type": subject_type,
                "subject_id": subject_id,
                "subject_name": subject_name,
                "detail": detail or {},
            }
        )

    @property
    def event_types(self) -> Iterable[EventType]:
        """What is told, fact by fact."""
        return (row["type"] for row in self._events)

    def flush(self, session: Session) -> None:
        """Writes everything. Locks in the order lane, delivery (accounts come before)."""
        session.flush()
        self._wake(session)
        self._supersede(session)
        bulk.insert(session, Event, self._events)
        bulk.insert(session, Delivery, self._deliveries)
        bulk.insert(session, AuditRow, self._audit)

    def _deliver(
        self,
        tenant_id: UUID,
        lane_id: UUID,
        *,
        event_id: UUID,
        destination: UUID,
        account_id: UUID | None,
        action: Action,
        place_id: UUID | None = None,
        document: str | None = None,
        address: str | None = None,
        revision: int = 0,
        generation: int = 0,
        priority: Priority = Priority.SCHEDULED,
    ) -> None:
        self.lanes.add((tenant_id, lane_id))
        self._deliveries.append(
            {
                "tenant_id": tenant_id,
                "id": new_id(),
                "event_id": event_id,
                "lane_id": lane_id,
                "destination": destination,
                "account_id": account_id,
                "place_id": place_id,
                "action": action,
                "document": document,
                "address": address,
                "revision": revision,
                "generation": generation,
                "priority": int(priority),
                "due_at": self.now,
                "created_at": self.now,
            }
        )

    def _wake(self, session: Session) -> None:
        if not self.lanes:
            return
        wanted = bulk.among(session, Lane.id, sorted(lane for _, lane in self.lanes))
        locked = session.execute(
            select(Lane.id, Lane.most_in_digest)
            .where(wanted)
            .order_by(Lane.id)
            .with_for_update(key_share=True)
        ).all()
        later = self._later({row.id for row in locked if row.most_in_digest > 1})
        self.lanes = {lane for lane in self.lanes if lane[1] not in later}
        for moment, lanes in (
            (self.now, {lane for _, lane in self.lanes}),
            (self.now + self._digest_window, later),
        ):
            if lanes:
                session.execute(
                    update(Lane)
                    .where(
                        bulk.among(session, Lane.id, sorted(lanes)),
                        Lane.state == LaneState.OPEN,
                        or_(Lane.wake_at.is_(None), Lane.wake_at > moment),
                    )
                    .values(wake_at=moment)
                    .execution_options(synchronize_session=False)
                )

    def _later(self, gathering: set[UUID]) -> set[UUID]:
        """What waits for its digest is due at the window's end; which lanes have nothing else."""
        if not self._digest_window:
            return set()
        for delivery in self._patient:
            if delivery["lane_id"] in gathering:
                delivery["due_at"] = self.now + self._digest_window
        due_now = {row["lane_id"] for row in self._deliveries if row["due_at"] <= self.now}
        return {row["lane_id"] for row in self._deliveries} - due_now

    def _supersede(self, session: Session) -> None:
        for places in bulk.chunks(self._superseded, 1_000):
            session.execute(
                update(Delivery)
                .where(
                    bulk.among(session, Delivery.place_id, places),
                    Delivery.state == DeliveryState.PENDING,
                )
                .values(state=DeliveryState.SUPERSEDED, settled_at=self.now)
                .execution_options(synchronize_session=False)
            )


@lru_cache(1_024)  # a batch writes the same few moments again and again
def written(moment: datetime | None) -> str:
    """A moment as facts keep it: ISO 8601 to the second, in UTC; empty if there is none."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else ""
