"""The outbox of one use case: what it tells and sends, written in its own commit (law 3)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import update
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
    Place,
    Priority,
)
from services import bulk
from services.notices.subscribers import Recipient
from services.waking import wake

Facts = Mapping[str, Any]

_PRIORITY = {Severity.CRITICAL: Priority.BREAK_GLASS, Severity.WARNING: Priority.MANUAL}


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
        """What channels can put together waits for `digest_window`.

        `lanes` are those to be rung once it is committed.
        """
        self.now = now
        self._digest_window = digest_window
        self.lanes: set[UUID] = set()
        self._events: list[bulk.Row] = []
        self._deliveries: list[dict[str, Any]] = []
        self._stand_ins: list[dict[str, Any]] = []
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
        severity: Severity | None = None,
        ends: int | None = None,
    ) -> UUID:
        """Records a fact, with a notice for each target that wants it; a recipient only once.

        `severity` is the event's usual one unless given; `ends` is how bad the problem was that
        ends with it, if one does.
        """
        event_id = new_id()
        if severity is None:
            severity = SEVERITY[event_type]
        self._events.append(
            {
                "tenant_id": tenant_id,
                "id": event_id,
                "type": event_type,
                "severity": int(severity),
                "account_id": account_id,
                "lane_id": lane_id,
                "at": self.now,
                "facts": facts,
            }
        )
        if event_type in TOLD:
            told: set[UUID] = set()
            is_patient = _is_patient(event_type, severity)
            for target in targets:
                recipient = recipient_id(target.lane_id, target.address)
                if recipient not in told and target.wants(event_type, severity, ends):
                    told.add(recipient)
                    notice = self._notice(event_id, target, recipient, account_id, severity)
                    self._deliveries.append(notice)
                    if is_patient:
                        self._patient.append(notice)
        return event_id

    def stand_in(
        self,
        event_id: UUID,
        target: Recipient,
        *,
        event_type: EventType,
        severity: Severity,
        account_id: UUID | None,
        facts: Facts,
    ) -> None:
        """Tells a fact that was recorded before to one more, with what to say beside it.

        Nothing if this recipient is told of it already.
        """
        recipient = recipient_id(target.lane_id, target.address)
        notice = self._notice(event_id, target, recipient, account_id, severity)
        self._stand_ins.append(notice | {"facts": facts})
        if _is_patient(event_type, severity):
            self._patient.append(self._stand_ins[-1])

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
        rows = [*self._deliveries, *self._stand_ins]
        self.lanes |= wake(session, rows, self._patient, now=self.now, window=self._digest_window)
        self._supersede(session)
        bulk.insert(session, Event, self._events)
        bulk.insert(session, Delivery, self._deliveries)
        bulk.insert_new(session, Delivery, self._stand_ins, unique=("event_id", "destination"))
        bulk.insert(session, AuditRow, self._audit)

    def _notice(
        self,
        event_id: UUID,
        target: Recipient,
        recipient: UUID,
        account_id: UUID | None,
        severity: Severity,
    ) -> dict[str, Any]:
        return self._delivery(
            target.tenant_id,
            target.lane_id,
            event_id=event_id,
            destination=recipient,
            account_id=account_id,
            action=Action.NOTICE,
            address=target.address,
            timezone=target.timezone,
            priority=_PRIORITY.get(severity, Priority.SCHEDULED),
        )

    def _deliver(self, tenant_id: UUID, lane_id: UUID, **what: Any) -> None:
        self._deliveries.append(self._delivery(tenant_id, lane_id, **what))

    def _delivery(
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
        timezone: str | None = None,
        revision: int = 0,
        generation: int = 0,
        priority: Priority = Priority.SCHEDULED,
    ) -> dict[str, Any]:
        return {
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
            "timezone": timezone,
            "revision": revision,
            "generation": generation,
            "priority": int(priority),
            "due_at": self.now,
            "created_at": self.now,
        }

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


def _is_patient(event_type: EventType, severity: Severity) -> bool:
    """Whether it may wait for others."""
    return severity < Severity.CRITICAL and event_type not in AT_ONCE


@lru_cache(1_024)  # a batch writes the same few moments again and again
def written(moment: datetime | None) -> str:
    """A moment as facts keep it: ISO 8601 to the second, in UTC; empty if there is none."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else ""
