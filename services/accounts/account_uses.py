"""Who uses an account's tokens, generation by generation."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from core.actors import Actor
from models import ExchangedToken, TokenRow, VirtualAccount
from services.accounts.account_views import readable
from services.runtime import Runtime
from services.scope import mine
from services.verify.uses import Uses, merged, rows_of

_GENERATIONS = 20  # the newest


@dataclass(frozen=True)
class GenerationUses:
    """The uses of one generation; `late` are those of them since its successor was there."""

    token: TokenRow
    uses: Uses
    late: Uses


@dataclass(frozen=True)
class AccountUses:
    """The uses of an account: of all that was ever its token, and of its newest generations.

    `exchanged` are those of the short-lived tokens that are there at this moment.
    """

    account: VirtualAccount
    total: Uses
    generations: Sequence[GenerationUses]
    exchanged: Uses


def uses_of_account(runtime: Runtime, actor: Actor, account_id: str | UUID) -> AccountUses:
    """Who uses the account's tokens, the newest first; for somebody who may read the account."""
    with runtime.database.reading() as session:
        account = readable(session, actor, account_id)
        tokens = session.scalars(
            mine(TokenRow, actor.tenant_id)
            .where(TokenRow.account_id == account.id)
            .order_by(TokenRow.generation.desc())
            .limit(_GENERATIONS)
        ).all()
        exchanged = set(
            session.scalars(
                select(ExchangedToken.id).where(
                    ExchangedToken.tenant_id == actor.tenant_id,
                    ExchangedToken.account_id == account.id,
                )
            )
        )
        rows = rows_of(session, [account.id, *exchanged, *(token.id for token in tokens)])
    generations = []
    for token in tokens:
        own = [row for row in rows if row.token_id == token.id]
        late = merged(row for row in own if row.is_late)
        generations.append(GenerationUses(token, merged(own), late))
    return AccountUses(
        account,
        total=merged(row for row in rows if row.token_id == account.id),
        generations=generations,
        exchanged=merged(row for row in rows if row.token_id in exchanged),
    )
