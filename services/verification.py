"""Verify: whether a bearer token is good, and whose it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from core.tokens import recognise
from models import AccountState, Tenant, TokenRow, TokenState, VirtualAccount
from services.runtime import Runtime


class Reason(StrEnum):
    """Why a token is not good. Stable: clients and metrics read it."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    OUT_OF_GRACE = "out_of_grace"


@dataclass(frozen=True)
class Verified:
    """A good token: whose, which generation, and until when (None: no end is set)."""

    tenant_id: UUID
    tenant: str
    account_id: UUID
    account: str
    token_id: UUID
    generation: int
    state: str
    valid_until: datetime | None
    is_admin: bool


@dataclass(frozen=True)
class Rejected:
    """A token that is not good."""

    reason: Reason


def verify(runtime: Runtime, text: str | None) -> Verified | Rejected:
    """Answers from the row and the time alone; garbage is refused without a query."""
    if not text:
        return Rejected(Reason.MISSING)
    token = recognise(text)
    if token is None:
        return Rejected(Reason.MALFORMED)
    with runtime.database.reading() as session:
        found = session.execute(
            select(TokenRow, VirtualAccount, Tenant.name)
            .join(
                VirtualAccount,
                (VirtualAccount.id == TokenRow.account_id)
                & (VirtualAccount.tenant_id == TokenRow.tenant_id),
            )
            .join(Tenant, Tenant.id == TokenRow.tenant_id)
            .where(TokenRow.hash == token.hash)
        ).one_or_none()
    if found is None:
        return Rejected(Reason.UNKNOWN)
    row, account, tenant = found
    if not row.is_valid(runtime.now()) or account.state is not AccountState.ACTIVE:
        return Rejected(_why(row))
    return Verified(
        tenant_id=row.tenant_id,
        tenant=tenant,
        account_id=account.id,
        account=account.name,
        token_id=row.id,
        generation=row.generation,
        state=row.state.value,
        valid_until=row.valid_until,
        is_admin=account.is_admin(tenant),
    )


def _why(row: TokenRow) -> Reason:
    if row.state is TokenState.REVOKED:
        return Reason.REVOKED
    return Reason.OUT_OF_GRACE if row.grace_until is not None else Reason.EXPIRED
