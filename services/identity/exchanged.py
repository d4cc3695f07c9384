"""Exchanged tokens: what one is, and how they end with their account or provider."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlalchemy.orm import Session

from core.actors import ActorKind
from models import ExchangedToken, IdentityMapping, IdentityProvider, Tenant, VirtualAccount
from services import bulk, changes
from services.outbox import Outbox
from services.verify.verdicts import Found, Reason, Rejected, Verified


def look_up_exchanged(
    session: Session, hashes: Sequence[bytes], now: datetime
) -> Iterator[tuple[bytes, Found]]:
    """What each of these is; it dies with the mapping by which it was made, however that went."""
    model = ExchangedToken
    rows = session.execute(
        select(model, VirtualAccount, Tenant.name, IdentityMapping.provider_id)
        .join(
            VirtualAccount,
            (VirtualAccount.id == model.account_id) & (VirtualAccount.tenant_id == model.tenant_id),
        )
        .join(Tenant, Tenant.id == model.tenant_id)
        .outerjoin(
            IdentityMapping,
            (IdentityMapping.id == model.mapping_id)
            & (IdentityMapping.tenant_id == model.tenant_id),
        )
        .where(bulk.equals_any(session, model.hash, hashes))
    )
    for row, account, tenant, provider_id in rows:
        subjects = (row.id, account.id, row.tenant_id, *filter(None, [provider_id]))
        if row.revoked_at is not None or provider_id is None:
            yield row.hash, Found(Rejected(Reason.REVOKED), subjects)
        elif row.expires_at <= now or account.is_expired(now):
            yield row.hash, Found(Rejected(Reason.EXPIRED), subjects)
        elif not account.is_working(now):
            yield row.hash, Found(Rejected(Reason.INACTIVE), subjects)
        else:
            until = min(filter(None, (row.expires_at, account.expires_at)))
            verified = Verified(
                tenant_id=row.tenant_id,
                tenant=tenant,
                kind=ActorKind.VIRTUAL_ACCOUNT,
                subject_id=account.id,
                subject=account.name,
                token_id=row.id,
                valid_until=until,
            )
            yield row.hash, Found(verified, subjects, until)


def end_of_account(session: Session, outbox: Outbox, account: VirtualAccount) -> int:
    """None that was exchanged for this account works any more; answers how many did."""
    ended = _end(
        session,
        outbox,
        ExchangedToken.tenant_id == account.tenant_id,
        ExchangedToken.account_id == account.id,
    )
    if ended:
        changes.record(session, [(account.tenant_id, account.id)])
    return ended


def end_of_provider(session: Session, outbox: Outbox, row: IdentityProvider) -> int:
    """None that was exchanged for one of this provider's JWTs works any more."""
    mappings = select(IdentityMapping.id).where(
        IdentityMapping.tenant_id == row.tenant_id, IdentityMapping.provider_id == row.id
    )
    ended = _end(
        session,
        outbox,
        ExchangedToken.tenant_id == row.tenant_id,
        ExchangedToken.mapping_id.in_(mappings),
    )
    if ended:
        changes.record(session, [(row.tenant_id, row.id)])
    return ended


def _end(session: Session, outbox: Outbox, *which: ColumnElement[bool]) -> int:
    ended = session.execute(
        update(ExchangedToken)
        .where(*which, ExchangedToken.revoked_at.is_(None), ExchangedToken.expires_at > outbox.now)
        .values(revoked_at=outbox.now)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", ended).rowcount
