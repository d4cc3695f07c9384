"""Copies that should be gone from a store and are not: their removal failed for good."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Action, Delivery, DeliveryState, Integration, Place, PlaceState

_NAMED = 3


def left_copies(session: Session) -> Mapping[str, Sequence[str]]:
    """Where each lies and why it could not be removed, by the FQN of its integration.

    Deleted integrations are among them: what waits to be removed outlives them.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for fqn, path, key, error in session.execute(
        select(Integration.fqn, Place.path, Place.key, Delivery.error)
        .join(
            Place,
            (Place.integration_id == Integration.id) & (Place.tenant_id == Integration.tenant_id),
        )
        .join(Delivery, (Delivery.place_id == Place.id) & (Delivery.tenant_id == Place.tenant_id))
        .where(
            Place.state == PlaceState.REMOVING,
            Delivery.action == Action.REMOVE,
            Delivery.state == DeliveryState.FAILED,
        )
        .order_by(Integration.fqn, Place.path, Place.key)
    ):
        found[fqn].append(f"{path} [{key}]: {error}" if key else f"{path}: {error}")
    return found


def shortly(copies: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(copies) - _NAMED
    return "; ".join(copies[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
