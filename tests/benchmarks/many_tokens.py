"""A million live tokens, each of an account of its own, written in bulk."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.ids import new_id
from core.tokens import Token, TokenKind, mint
from models import AccountState, TokenRow, TokenState, VirtualAccount
from services import bulk
from services.runtime import Runtime

_BATCH = 20_000


class Planted(NamedTuple):
    """One of them."""

    token: str
    account_id: UUID


def plant_tokens(runtime: Runtime, tenant: UUID, count: int, keep: int) -> list[Planted]:
    """Writes `count` of them; answers `keep`, taken evenly from all."""
    kept: list[Planted] = []
    every = max(count // keep, 1)
    for start in range(0, count, _BATCH):
        made = [(new_id(), mint(TokenKind.VIRTUAL_ACCOUNT)) for _ in range(_BATCH)]
        made = made[: count - start]
        runtime.database.write(
            lambda session, made=made, start=start: _write(  # type: ignore[misc]
                session, tenant, made, start, runtime.now()
            )
        )
        kept += [
            Planted(token.reveal(), account)
            for number, (account, token) in enumerate(made, start)
            if number % every == 0
        ]
    with runtime.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    return kept[:keep]


def _write(
    session: Session, tenant: UUID, made: list[tuple[UUID, Token]], start: int, now: datetime
) -> None:
    bulk.insert(session, VirtualAccount, list(_accounts(tenant, made, start, now)))
    bulk.insert(session, TokenRow, list(_tokens(tenant, made, now)))


def _accounts(
    tenant: UUID, made: list[tuple[UUID, Token]], start: int, now: datetime
) -> Iterator[dict[str, Any]]:
    hour = timedelta(hours=1) // timedelta(microseconds=1)  # as COPY takes it
    for number, (account, _) in enumerate(made, start):
        yield {
            "tenant_id": tenant,
            "id": account,
            "name": f"bot-{number:07}",
            "state": AccountState.ACTIVE,
            "manifest": {"name": f"bot-{number:07}", "type": "virtual-account"},
            "created_by": {},
            "generation": 1,
            "timezone": "UTC",
            "spread": 0,
            "grace": hour,
            "max_hold": hour,
            "rotated_at": now,
            "created_at": now,
            "updated_at": now,
        }


def _tokens(
    tenant: UUID, made: list[tuple[UUID, Token]], now: datetime
) -> Iterator[dict[str, Any]]:
    for account, token in made:
        yield {
            "tenant_id": tenant,
            "id": new_id(),
            "account_id": account,
            "generation": 1,
            "state": TokenState.CURRENT,
            "hash": token.hash,
            "last_four": token.last_four,
            "created_at": now,
        }
