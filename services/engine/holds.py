"""Holds: an old token outlives its grace while a required place is behind (law 7)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import policy
from models import Place, PlaceState, TokenRow, TokenState
from services import bulk, changes


def release_holds(session: Session, accounts: Sequence[UUID], now: datetime) -> int:
    """Writes the release of every predecessor whose successor all required places have.

    The caller holds the accounts' rows. A confirmation of generation g releases every
    predecessor older than g. Answers how many were released; a second call changes nothing.
    """
    if not accounts:
        return 0
    held = session.execute(
        select(
            TokenRow.tenant_id,
            TokenRow.id,
            TokenRow.account_id,
            TokenRow.generation,
            TokenRow.grace_until,
            TokenRow.hold_until,
            TokenRow.pick_up,
        ).where(
            bulk.among(session, TokenRow.account_id, accounts),
            TokenRow.state == TokenState.GRACE,
            TokenRow.released_at.is_(None),
        )
    ).all()
    if not held:
        return 0
    reached = _reached(session, {token.account_id for token in held})
    released: list[dict[str, Any]] = []
    for token in held:
        generation = reached.get(token.account_id)
        if generation is not None and generation <= token.generation:
            continue
        assert token.grace_until is not None
        assert token.hold_until is not None
        assert token.pick_up is not None
        until = policy.release(
            now=now,
            grace_until=token.grace_until,
            hold_until=token.hold_until,
            pick_up=token.pick_up,
        )
        released.append(
            {
                "tenant_id": token.tenant_id,
                "id": token.id,
                "released_at": now,
                "valid_until": until,
            }
        )
    bulk.update_each(session, TokenRow, released)
    soon = [row for row in released if changes.ends_soon(session, row["valid_until"])]
    changes.record(session, ((row["tenant_id"], row["id"]) for row in soon))
    return len(released)


def _reached(session: Session, accounts: set[UUID]) -> dict[UUID, int]:
    """The generation that every required place has confirmed; absent if none is required."""
    session.flush()
    reached: dict[UUID, list[int]] = defaultdict(list)
    for account, generation in session.execute(
        select(Place.account_id, Place.confirmed_generation).where(
            bulk.among(session, Place.account_id, accounts),
            Place.state == PlaceState.ACTIVE,
            Place.required,
        )
    ):
        reached[account].append(generation)
    return {account: min(generations) for account, generations in reached.items()}
