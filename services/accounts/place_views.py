"""Where an account's token is kept, and how each place fares."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from core.actors import Actor
from models import OPEN, Delivery, Integration, Place, PlaceState, Priority, VirtualAccount
from services.accounts.account_views import audit_account, lock_account, readable
from services.delivery.drift import ask, spots_of
from services.delivery.syncing import wait_for_sends
from services.outbox import Outbox
from services.runtime import Runtime


@dataclass(frozen=True)
class PlaceView:
    """A place, the integration it lies in, and whether something is on its way to it."""

    place: Place
    integration: str
    kind: str
    is_pending: bool

    @property
    def path(self) -> str:
        """The place as people read it."""
        return f"{self.place.path} [{self.place.key}]" if self.place.key else self.place.path


def list_places(runtime: Runtime, actor: Actor, account_id: str | UUID) -> list[PlaceView]:
    """The account's places, in the order in which they were made."""
    with runtime.database.reading() as session:
        account = readable(session, actor, account_id, "virtual-account:read")
        return views_of_places(session, account)


def check_places(runtime: Runtime, actor: Actor, account_id: str | UUID) -> list[PlaceView]:
    """Has every place compared with its store now, and waits up to ten seconds for the answers.

    What has drifted is repaired as its integration says. A place whose answer has not come is
    still pending.
    """

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id, "virtual-account:update")
        asked = ask(outbox, spots_of(session, account), Priority.MANUAL)
        if asked:
            audit_account(outbox, actor, "virtual-account.checked", account, {"places": len(asked)})

    runtime.change(use_case)
    wait_for_sends(runtime, actor.tenant_id, account_id)
    return list_places(runtime, actor, account_id)


def views_of_places(session: Session, account: VirtualAccount) -> list[PlaceView]:
    rows: Sequence[tuple[Place, str, str]] = session.execute(
        select(Place, Integration.fqn, Integration.kind)
        .join(
            Integration,
            and_(Integration.id == Place.integration_id, Integration.tenant_id == Place.tenant_id),
        )
        .where(
            Place.tenant_id == account.tenant_id,
            Place.account_id == account.id,
            Place.state == PlaceState.ACTIVE,
        )
        .order_by(Place.id)
    ).all()
    pending = set(
        session.scalars(
            select(Delivery.place_id).where(
                Delivery.account_id == account.id,
                Delivery.tenant_id == account.tenant_id,
                Delivery.place_id.is_not(None),
                Delivery.state.in_(OPEN),
            )
        )
    )
    return [PlaceView(place, fqn, kind, place.id in pending) for place, fqn, kind in rows]
