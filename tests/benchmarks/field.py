"""Many accounts at once, made in bulk: what the benchmarks work on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from core.ids import new_id
from core.tokens import TokenKind, mint
from models import (
    AccountState,
    Lane,
    Place,
    PlaceState,
    Target,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services import bulk
from tests.support.world import World

HOUR = timedelta(hours=1)


def plant(
    world: World,
    count: int,
    *,
    due_at: datetime,
    place_lanes: Sequence[Lane] = (),
    target_lane: Lane | None = None,
    numbered_from: int = 0,
) -> list[UUID]:
    """`count` accounts with a current token, a place in each of these lanes, and a target."""
    now = world.clock.now()
    ids = [new_id() for _ in range(count)]
    keyring, tenant = world.runtime.keyring, world.tenant_id

    def span(length: timedelta) -> timedelta | int:
        """As COPY takes it, which knows no types of ours."""
        return length if world.runtime.database.is_sqlite else length // timedelta(microseconds=1)

    def write(session: Session) -> None:
        accounts = [
            {
                "tenant_id": tenant,
                "id": account,
                "name": f"bot-{number:07}",
                "state": AccountState.ACTIVE,
                "manifest": {"name": f"bot-{number:07}", "type": "virtual-account"},
                "created_by": {},
                "generation": 1,
                "rotation_interval": span(HOUR),
                "rotation_schedule": None,
                "timezone": "UTC",
                "spread": span(timedelta(0)),
                "grace": span(HOUR / 6),
                "max_hold": span(2 * HOUR),
                "rotated_at": now - HOUR,
                "next_rotation_at": due_at,
                "due_at": due_at,
                "created_at": now,
                "updated_at": now,
            }
            for number, account in enumerate(ids, numbered_from)
        ]
        tokens = []
        for account in ids:
            token, token_id = mint(TokenKind.VIRTUAL_ACCOUNT), new_id()
            tokens.append(
                {
                    "tenant_id": tenant,
                    "id": token_id,
                    "account_id": account,
                    "generation": 1,
                    "state": TokenState.CURRENT,
                    "hash": token.hash,
                    "sealed": keyring.seal("tokens", tenant, token_id, token.reveal().encode()),
                    "last_four": token.last_four,
                    "created_at": now,
                }
            )
        places = [
            {
                "tenant_id": tenant,
                "id": new_id(),
                "account_id": account,
                "integration_id": lane.integration_id,
                "lane_id": lane.id,
                "path": f"bots/{number}",
                "state": PlaceState.ACTIVE,
                "revision": 1,
                "confirmed_revision": 1,
                "confirmed_generation": 1,
            }
            for lane in place_lanes
            for number, account in enumerate(ids, numbered_from)
        ]
        targets = [
            {
                "tenant_id": tenant,
                "id": new_id(),
                "account_id": account,
                "lane_id": target_lane.id,
                "address": "ops",
            }
            for account in (ids if target_lane is not None else [])
            if target_lane is not None
        ]
        bulk.insert(session, VirtualAccount, accounts)
        bulk.insert(session, TokenRow, tokens)
        bulk.insert(session, Place, places)
        bulk.insert(session, Target, targets)

    world.runtime.database.write(write)
    return ids
