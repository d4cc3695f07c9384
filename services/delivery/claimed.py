"""A claimed delivery: all that its send needs, in one row, so that the send needs no database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, and_, select

from core.events import REMINDERS, EventType
from models import Action, Delivery, Event, Lane, Place, TokenRow, TokenState


class Claimed(NamedTuple):
    """What is the caller's to send at `send_at`, with all that the send needs.

    It is one delivery, or the first of several notices that go as one message; the `others` then
    are claimed, sent and settled with it. `claim` is its fence. `sealed` is the token of its
    generation, or None if a newer one has taken its place. `drift` is what its place held instead
    of what it should, when last looked at. `beside` is what it knows beside the
    event's facts. `uses` is how much of the destination's time its calls take.
    """

    id: UUID
    tenant_id: UUID
    claim: int
    action: Action
    lane_id: UUID
    account_id: UUID | None
    place_id: UUID | None
    document: str | None
    address: str | None
    timezone: str | None
    beside: dict[str, Any] | None
    destination: UUID
    digest_id: UUID | None
    revision: int
    generation: int
    failures: int
    created_at: datetime
    event_id: UUID
    event_type: EventType
    severity: int
    event_at: datetime
    facts: dict[str, Any]
    path: str | None
    key: str | None
    layout: dict[str, Any] | None
    adopt: bool | None
    takes_over: UUID | None
    place_revision: int | None
    confirmed_revision: int | None
    drift: str | None
    token_id: UUID | None
    sealed: bytes | None
    send_at: datetime
    is_probe: bool
    uses: timedelta
    others: tuple["Claimed", ...] = ()
    is_new_digest: bool = False

    @property
    def all(self) -> tuple["Claimed", ...]:
        """Every delivery of this message."""
        return (self._replace(others=()), *self.others)

    def alike(self, columns: Sequence[Any]) -> "Claimed":
        """Another row that was read together with this one."""
        return Claimed._make((*columns, self.send_at, False, self.uses, (), False))

    def taken(self, send_at: datetime, uses: timedelta, *, is_probe: bool) -> "Claimed":
        """This and the others as they are once they are claimed."""
        others = tuple(row._replace(claim=row.claim + 1) for row in self.others)
        return self._replace(
            claim=self.claim + 1, others=others, send_at=send_at, uses=uses, is_probe=is_probe
        )

    def is_past(self, now: datetime) -> bool:
        """Whether it is a reminder of what has come already; one that was begun is as it was."""
        fact = REMINDERS.get(self.event_type)
        if fact is None or self.digest_id is not None:
            return False
        return bool(datetime.fromisoformat(self.facts[fact]) <= now)

    @property
    def is_first(self) -> bool:
        """Whether nothing was written at its place so far."""
        return self.action is Action.PUT and self.confirmed_revision == 0


COLUMNS = (
    Delivery.id,
    Delivery.tenant_id,
    Delivery.claim,
    Delivery.action,
    Delivery.lane_id,
    Delivery.account_id,
    Delivery.place_id,
    Delivery.document,
    Delivery.address,
    Delivery.timezone,
    Delivery.facts,
    Delivery.destination,
    Delivery.digest_id,
    Delivery.revision,
    Delivery.generation,
    Delivery.failures,
    Delivery.created_at,
    Delivery.event_id,
    Event.type,
    Event.severity,
    Event.at,
    Event.facts,
    Place.path,
    Place.key,
    Place.layout,
    Place.adopt,
    Place.takes_over,
    Place.revision,
    Place.confirmed_revision,
    Place.drift,
    TokenRow.id,
    TokenRow.sealed,
)


def selection(lane: Lane, *clauses: Any) -> Select[Any]:
    """Deliveries of this lane, locked as they are read; what another holds is left out."""
    tenant = Delivery.tenant_id
    return (
        select(*COLUMNS)
        .join(Event, and_(Event.id == Delivery.event_id, Event.tenant_id == tenant))
        .outerjoin(Place, and_(Place.id == Delivery.place_id, Place.tenant_id == tenant))
        .outerjoin(
            TokenRow,
            and_(
                TokenRow.account_id == Place.account_id,
                TokenRow.tenant_id == tenant,
                TokenRow.generation == Delivery.generation,
                TokenRow.state == TokenState.CURRENT,
            ),
        )
        .where(Delivery.lane_id == lane.id, *clauses)
        .with_for_update(key_share=True, skip_locked=True, of=Delivery)
    )
