"""The drift check: what a place holds is compared with what it should, by a delivery of its own.

A check goes through its place's lane like every send: within the quota, one per document at a
time. A newer copy on its way makes it pointless. What it finds is told once; what should be
repaired is written again as a new revision.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from core.events import EventType
from models import (
    Delivery,
    DeliveryState,
    Lane,
    Place,
    PlaceState,
    Priority,
    VirtualAccount,
)
from services import bulk
from services.accounts.places import send_copies
from services.delivery.judging import integration_name
from services.delivery.sending import Outcome
from services.notices.subscribers import subscribers_of
from services.outbox import Outbox
from services.runtime import Runtime

BATCH = 500
_NOT_NOW = timedelta(minutes=10)  # a place on which something else is under way is looked at then
_REPAIRED = "It is written again."
_REPORTED = "Nothing: this store is only watched."


class Spot(NamedTuple):
    """A place that is due, as the outbox needs it."""

    id: UUID
    tenant_id: UUID
    account_id: UUID
    lane_id: UUID
    path: str
    revision: int
    confirmed_revision: int
    confirmed_generation: int
    is_busy: bool


def check_due(runtime: Runtime) -> int:
    """Asks for the checks of one batch of due places; answers how many were due."""
    every = runtime.settings.drift_check
    if not every:
        return 0

    def use_case(session: Session, outbox: Outbox) -> int:
        due = [
            Spot._make(row)
            for row in session.execute(
                _spots()
                .where(Place.check_at <= outbox.now)
                .order_by(Place.check_at)
                .limit(BATCH)
                .with_for_update(key_share=True, skip_locked=True, of=Place)
            )
        ]
        asked = ask(outbox, due, Priority.REPAIR)
        for spots, later in ((asked, every), ([s for s in due if s not in asked], _NOT_NOW)):
            _look_again(session, [spot.id for spot in spots], outbox.now + later)
        return len(due)

    return runtime.change(use_case)


def spots_of(session: Session, account: VirtualAccount) -> list[Spot]:
    """The places of an account that hold something."""
    return [
        Spot._make(row)
        for row in session.execute(
            _spots().where(
                Place.tenant_id == account.tenant_id,
                Place.account_id == account.id,
                Place.state == PlaceState.ACTIVE,
            )
        )
    ]


def ask(outbox: Outbox, spots: Iterable[Spot], priority: Priority) -> list[Spot]:
    """Asks for the checks of places that rest in what was confirmed; answers which these are."""
    resting = [spot for spot in spots if not spot.is_busy and _is_confirmed(spot)]
    resting.sort(key=lambda spot: spot.tenant_id)
    for tenant, group in groupby(resting, key=lambda spot: spot.tenant_id):
        event = outbox.tell(tenant, EventType.CHECK_REQUESTED, facts={})
        for spot in group:
            outbox.check(
                event,
                spot,
                revision=spot.revision,
                generation=spot.confirmed_generation,
                priority=priority,
            )
    return resting


def settle_checks(session: Session, outbox: Outbox, outcomes: Sequence[Outcome]) -> None:
    """Records what was found; tells what is new; writes again what should be repaired.

    The caller holds the locks of the accounts whose places have drifted.
    """
    if not outcomes:
        return
    known = _known(session, outcomes)
    bulk.update_each(
        session,
        Place,
        [
            {
                "tenant_id": outcome.claimed.tenant_id,
                "id": outcome.claimed.place_id,
                "checked_at": outbox.now,
                "drift": outcome.drift.found if outcome.drift else None,
            }
            for outcome in outcomes
        ],
    )
    for outcome in outcomes:
        place = known.get(outcome.claimed.place_id)
        if outcome.drift is not None and place is not None:
            _act(session, outbox, outcome, place)
    _forget(session, [o.claimed.id for o in outcomes if o.drift is None])


def _act(session: Session, outbox: Outbox, outcome: Outcome, before: str | None) -> None:
    """Tells of a drift, unless that is known already, and repairs it."""
    sent, drift = outcome.claimed, outcome.drift
    assert drift is not None
    account = session.get_one(VirtualAccount, (sent.account_id, sent.tenant_id))
    place = session.get_one(Place, (sent.place_id, sent.tenant_id), populate_existing=True)
    if place.state is not PlaceState.ACTIVE or place.revision != sent.revision:
        return  # something newer is on its way, and will be confirmed by itself
    lane = session.get_one(Lane, (sent.lane_id, sent.tenant_id))
    if before != drift.found:
        outbox.tell(
            sent.tenant_id,
            EventType.SYNC_DRIFTED,
            account_id=account.id,
            lane_id=sent.lane_id,
            facts={
                "account": account.name,
                "integration": integration_name(session, lane),
                "path": sent.path,
                "generation": sent.generation,
                "found": drift.found,
                "done": _REPAIRED if drift.repairs else _REPORTED,
            },
            targets=subscribers_of(session, account),
        )
    if drift.repairs:
        send_copies(session, outbox, account, [place], cause="drift", priority=Priority.REPAIR)


def _known(session: Session, outcomes: Sequence[Outcome]) -> dict[UUID | None, str | None]:
    """What was known to be wrong before, of the places that these checks were about."""
    ids = [o.claimed.place_id for o in outcomes if o.drift and o.claimed.place_id]
    rows = session.execute(select(Place.id, Place.drift).where(bulk.among(session, Place.id, ids)))
    return {place: drift or "" for place, drift in rows} if ids else {}


def _forget(session: Session, checks: Sequence[UUID]) -> None:
    """A check that found all well leaves the place's `checked_at`, and no row of its own."""
    if checks:
        session.execute(
            delete(Delivery)
            .where(bulk.among(session, Delivery.id, checks))
            .execution_options(synchronize_session=False)
        )


def _look_again(session: Session, places: Sequence[UUID], at: datetime) -> None:
    if places:
        session.execute(
            update(Place)
            .where(bulk.among(session, Place.id, places))
            .values(check_at=at)
            .execution_options(synchronize_session=False)
        )


def _is_confirmed(spot: Spot) -> bool:
    return 0 < spot.confirmed_revision == spot.revision


def _spots() -> Any:
    of_place = Delivery.place_id == Place.id
    waits = exists().where(of_place, Delivery.state == DeliveryState.PENDING)
    is_sent = exists().where(
        of_place, Delivery.lane_id == Place.lane_id, Delivery.state == DeliveryState.SENDING
    )
    return select(
        Place.id,
        Place.tenant_id,
        Place.account_id,
        Place.lane_id,
        Place.path,
        Place.revision,
        Place.confirmed_revision,
        Place.confirmed_generation,
        or_(waits, is_sent),
    )
