"""Rolling forward: what did not get through to one destination is sent there again, by hand."""

from uuid import UUID

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, NotFound
from models import (
    Action,
    Delivery,
    DeliveryState,
    Lane,
    LaneState,
    Place,
    PlaceState,
    Priority,
    VirtualAccount,
)
from services.accounts.account_views import audit_account, lock_account
from services.accounts.places import send_copies
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find, find_locked


def roll_forward(
    runtime: Runtime, actor: Actor, account_id: str | UUID, delivery_id: str | UUID
) -> None:
    """A copy that is not there goes out anew, as the current token; a notice as it was.

    Conflict for what got through, is under way, or is about a place that is gone. The lane's own
    pause is not lifted: what is rolled forward waits for that.
    """

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id, "virtual-account:update")
        delivery = find(session, Delivery, actor.tenant_id, delivery_id, "delivery")
        if delivery.account_id != account.id:
            raise NotFound("delivery", delivery_id)
        if delivery.action is Action.NOTICE:
            _again(session, outbox, delivery)
        else:
            _check_open(delivery)
            _copy(session, outbox, account, delivery)
        audit_account(
            outbox,
            actor,
            "delivery.rolled-forward",
            account,
            {"delivery": str(delivery.id), "action": delivery.action.value},
        )

    runtime.change(use_case)


def roll_delivery(runtime: Runtime, actor: Actor, delivery_id: str | UUID) -> None:
    """The same of any delivery. One that is about no account is sent again as it was.

    Needs `virtual-account:update` on the account, otherwise `provider-integration:manage`.
    """
    with runtime.database.reading() as session:
        account_id = find(session, Delivery, actor.tenant_id, delivery_id, "delivery").account_id
    if account_id is not None:
        roll_forward(runtime, actor, account_id, delivery_id)
        return

    def use_case(session: Session, outbox: Outbox) -> None:
        actor.demand_everywhere("provider-integration:manage")
        delivery = find(session, Delivery, actor.tenant_id, delivery_id, "delivery")
        _again(session, outbox, delivery)
        outbox.audit(
            actor,
            "delivery.rolled-forward",
            subject_type="delivery",
            subject_id=delivery.id,
            subject_name=delivery.address or "",
            detail={"action": delivery.action.value},
        )

    runtime.change(use_case)


def _check_open(delivery: Delivery) -> None:
    if delivery.state not in {DeliveryState.FAILED, DeliveryState.PENDING}:
        raise Conflict("This needs nothing: it got through, is under way, or was replaced.")


def _copy(session: Session, outbox: Outbox, account: VirtualAccount, delivery: Delivery) -> None:
    """What waits for the place is superseded by the new revision, in this commit."""
    place = (
        session.get(Place, (delivery.place_id, delivery.tenant_id)) if delivery.place_id else None
    )
    if place is None or place.state is not PlaceState.ACTIVE:
        raise Conflict("The account keeps its token there no longer.")
    if not send_copies(session, outbox, account, [place], cause="sync", priority=Priority.MANUAL):
        raise Conflict(f"{account.name} has no valid token; regenerate it.")


def _again(session: Session, outbox: Outbox, delivery: Delivery) -> None:
    """Locks in the order lane, delivery."""
    lane = find_locked(session, Lane, delivery.tenant_id, delivery.lane_id, "lane")
    delivery = find_locked(session, Delivery, delivery.tenant_id, delivery.id, "delivery")
    _check_open(delivery)
    delivery.state = DeliveryState.PENDING
    delivery.due_at = outbox.now
    delivery.failures = 0
    delivery.settled_at = delivery.error = delivery.digest_id = None
    if lane.state is LaneState.OPEN:
        lane.wake_at = min(lane.wake_at or outbox.now, outbox.now)
        outbox.lanes.add(lane.id)
