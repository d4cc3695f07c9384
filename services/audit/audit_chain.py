"""The audit log's chain: committed rows get a number, and a hash over all that came before.

A use case writes its row unchained and takes no lock here. Whoever holds the row of a tenant's
chain numbers what is committed by then; a row that commits later gets a later number.
"""

import hashlib
import json
import threading
from datetime import UTC
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import AuditChain, AuditRow
from services import bulk
from services.runtime import Runtime

log = structlog.get_logger(__name__)

BATCH = 1_000
_SLICE = 5.0  # seconds; the next tick goes on

# Every column of a row but the two that chaining writes.
_FIELDS = (
    AuditRow.id,
    AuditRow.tenant_id,
    AuditRow.at,
    AuditRow.actor,
    AuditRow.action,
    AuditRow.subject_type,
    AuditRow.subject_id,
    AuditRow.subject_name,
    AuditRow.detail,
)


def record_of(row: Any) -> dict[str, Any]:
    """A row as its hash is made of it, and as it is listed and exported."""
    return {
        "id": str(row.id),
        "tenantId": str(row.tenant_id),
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "actor": row.actor,
        "action": row.action,
        "subjectType": row.subject_type,
        "subjectId": None if row.subject_id is None else str(row.subject_id),
        "subjectName": row.subject_name,
        "detail": row.detail,
    }


def hash_of(previous: bytes, number: int, row: Any) -> bytes:
    """SHA-256 over the hash before, the number, and all fields as JSON with sorted keys."""
    written = json.dumps(record_of(row), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous.hex()} {number} {written}".encode()).digest()


def rows_of(tenant_id: UUID) -> Select[Any]:
    """The tenant's rows as `hash_of` takes them, with number and hash."""
    return select(*_FIELDS, AuditRow.number, AuditRow.hash).where(AuditRow.tenant_id == tenant_id)


def chain_due(runtime: Runtime, stop: threading.Event | None = None) -> int:
    """Chains what is committed, a batch of each tenant in turn; answers how many rows.

    Ends after some seconds even if there is more. With nothing to do it is one look at an index.
    """
    ends = runtime.clock.elapsed() + _SLICE
    total = 0
    while done := _round(runtime, ends, stop or threading.Event()):
        total += done
    return total


def _round(runtime: Runtime, ends: float, stop: threading.Event) -> int:
    done, tenant = 0, None
    while not stop.is_set() and runtime.clock.elapsed() <= ends:
        tenant = _next_unchained(runtime, tenant)
        if tenant is None:
            break
        try:
            done += chain_batch(runtime, tenant)
        except IntegrityError:  # numbers are taken: somebody changed the chain; others go on
            log.error("audit.chain_broken", tenant=str(tenant))  # noqa: TRY400 - no parameters
    return done


def _next_unchained(runtime: Runtime, after: UUID | None) -> UUID | None:
    wanted = select(AuditRow.tenant_id).where(AuditRow.number.is_(None))
    if after is not None:
        wanted = wanted.where(AuditRow.tenant_id > after)
    with runtime.database.reading() as session:
        return session.scalar(wanted.order_by(AuditRow.tenant_id).limit(1))


def chain_batch(runtime: Runtime, tenant_id: UUID, limit: int = BATCH) -> int:
    """Chains some of a tenant's rows; answers how many; 0 while somebody else is at it."""
    return runtime.database.write(lambda session: _chain(session, tenant_id, limit))


def _chain(session: Session, tenant_id: UUID, limit: int) -> int:
    chain = lock_chain(session, tenant_id)
    if chain is None:
        return 0
    rows = session.execute(
        rows_of(tenant_id)
        .where(AuditRow.number.is_(None))
        .order_by(AuditRow.at, AuditRow.id)
        .limit(limit)
    ).all()
    chained = []
    for row in rows:
        chain.number += 1
        chain.hash = hash_of(chain.hash, chain.number, row)
        chained.append(
            {"tenant_id": tenant_id, "id": row.id, "number": chain.number, "hash": chain.hash}
        )
    bulk.update_each(session, AuditRow, chained)
    return len(rows)


def lock_chain(session: Session, tenant_id: UUID) -> AuditChain | None:
    """The tenant's chain, held until the commit; made if need be. None if another holds it."""
    wanted = (
        select(AuditChain)
        .where(AuditChain.tenant_id == tenant_id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    chain = session.scalar(wanted)
    if chain is None:
        insert = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        session.execute(
            insert.insert(AuditChain).on_conflict_do_nothing(), {"tenant_id": tenant_id}
        )
        chain = session.scalar(wanted)
    return chain
