"""Audit rows go after their retention, oldest first; the chain's anchor tells of the last one.

Only chained rows go, and only while they verify: what somebody changed stays to be found.
"""

import threading
from datetime import datetime
from itertools import takewhile
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models import AuditChain, AuditRow
from services.audit.audit_chain import BATCH, lock_chain, rows_of
from services.audit.audit_verifying import good_rows
from services.runtime import Runtime

log = structlog.get_logger(__name__)


def prune_due(runtime: Runtime, stop: threading.Event | None = None) -> int:
    """Deletes one batch of each tenant's rows past their retention; answers how many went."""
    before = runtime.now() - runtime.settings.audit_retention
    first = (AuditRow.tenant_id == AuditChain.tenant_id) & (
        AuditRow.number == AuditChain.anchor_number + 1
    )
    with runtime.database.reading() as session:
        tenants = session.scalars(
            select(AuditChain.tenant_id).join(AuditRow, first).where(AuditRow.at < before)
        ).all()
    gone = 0
    for tenant in tenants:
        if stop is not None and stop.is_set():
            break
        gone += _prune_tenant(runtime, tenant, before)
    return gone


def _prune_tenant(runtime: Runtime, tenant_id: UUID, before: datetime) -> int:
    return runtime.database.write(lambda session: _prune(session, tenant_id, before))


def _prune(session: Session, tenant_id: UUID, before: datetime) -> int:
    chain = lock_chain(session, tenant_id)
    if chain is None:
        return 0
    begin = chain.anchor_number
    rows = session.execute(
        rows_of(tenant_id)
        .where(AuditRow.number > begin, AuditRow.number <= chain.number)
        .order_by(AuditRow.number)
        .limit(BATCH)
    ).all()
    old = list(takewhile(lambda row: row.at < before, rows))
    good, last = good_rows(old, begin, chain.anchor_hash)
    if good < len(old):
        log.error("audit.not_pruned", tenant=str(tenant_id), number=begin + good + 1)
    if good:
        session.execute(
            delete(AuditRow)
            .where(
                AuditRow.tenant_id == tenant_id,
                AuditRow.number > begin,
                AuditRow.number <= begin + good,
            )
            .execution_options(synchronize_session=False)
        )
        chain.anchor_number, chain.anchor_hash = begin + good, last
    return good
