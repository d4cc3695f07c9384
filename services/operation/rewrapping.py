"""A new master key: every tenant's data keys are wrapped with it, and nothing else changes."""

from collections import Counter
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict
from core.sealing import row_identity
from models import Process, Tenant, WrappedKey
from services.keys import SILENT
from services.outbox import Outbox
from services.runtime import Runtime


def rewrap(runtime: Runtime, by: str) -> int:
    """Wraps every data key with the first master key; answers how many were changed.

    Conflict while a live process has not reported that it holds that key: it would stop.
    """
    masters = runtime.settings.keys()
    first = masters.first

    def use_case(session: Session, outbox: Outbox) -> int:
        _check_processes(session, outbox, first.id)
        changed: Counter[UUID] = Counter()
        for row in session.scalars(
            select(WrappedKey).where(WrappedKey.master_key_id != first.id).with_for_update()
        ):
            identity = row_identity("data_keys", row.tenant_id, row.number)
            key = masters.get(row.master_key_id).unwrap(row.wrapped, identity)
            row.wrapped, row.master_key_id = first.wrap(key, identity), first.id
            changed[row.tenant_id] += 1
        for tenant in session.scalars(select(Tenant).where(Tenant.id.in_(changed))):
            outbox.audit(
                Actor.operator(tenant.id, by),
                "data-keys.rewrapped",
                subject_type="tenant",
                subject_id=tenant.id,
                subject_name=tenant.name,
                detail={"master_key": first.id, "keys": changed[tenant.id]},
            )
        return changed.total()

    return runtime.change(use_case)


def _check_processes(session: Session, outbox: Outbox, master_key: str) -> None:
    behind = [
        f"{process.kind} on {process.host}"
        for process in session.scalars(select(Process).where(Process.seen_at > outbox.now - SILENT))
        if master_key not in process.master_key_ids
    ]
    if behind:
        raise Conflict(
            f"Still running without master key {master_key}: {', '.join(sorted(behind))}. "
            "Restart them with the new key in their list, then repeat."
        )
