"""Trying a channel: a sample is sent through it at once, and what it answered is told."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import InvalidInput, KeyturnError, NotFound, Throttled
from core.events import SEVERITY, EventType
from core.ids import new_id
from core.plugins import Family
from models import AuditRow, Integration, Tenant
from notifiers.base import Notice, Notifier
from services.accounts.entitlements import demand_use
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find_locked, mine

_ACTION = "channel.tested"
_MOST = 5
_PERIOD = timedelta(minutes=1)
_LONGEST_ADDRESS = 320
_LONGEST_ANSWER = 500


def try_channel(
    runtime: Runtime, actor: Actor, integration_id: str | UUID, address: str = ""
) -> dict[str, Any]:
    """Sends a sample that is marked as one; answers `ok`, and in a sentence what was answered.

    Whoever may use an integration may try it, five times a minute at most. It waits for no lane
    and is over within the channel's own limit for one send. It is in the audit log before it is
    sent, so that nobody is told anything unseen.
    """
    if len(address) > _LONGEST_ADDRESS or not address.isprintable():
        raise InvalidInput("address", f"give at most {_LONGEST_ADDRESS} printable characters")

    def use_case(session: Session, outbox: Outbox) -> tuple[Integration, Tenant]:
        return _ask(session, outbox, actor, integration_id, address)

    row, tenant = runtime.change(use_case)
    notice = Notice(
        key=new_id(),
        type=EventType.CHANNEL_TESTED,
        severity=SEVERITY[EventType.CHANNEL_TESTED],
        at=runtime.now(),
        tenant=tenant.name,
        facts={"integration": row.fqn, "by": actor.name},
        link=runtime.settings.public_url.rstrip("/"),
        templates=runtime.settings.templates,
    )
    return {**_sent(runtime, row, notice, address), "at": notice.at.isoformat()}


def _ask(
    session: Session, outbox: Outbox, actor: Actor, integration_id: str | UUID, address: str
) -> tuple[Integration, Tenant]:
    """The channel, if it may be tried now; the lock lets one ask at a time."""
    row = find_locked(session, Integration, actor.tenant_id, integration_id, "integration")
    if row.deleted_at is not None:
        raise NotFound("integration", integration_id)
    demand_use(actor, row)
    if row.family is not Family.NOTIFIER:
        raise InvalidInput("integration", "this is a secret store; name a notification channel")
    _spare(session, outbox, row)
    outbox.audit(
        actor,
        _ACTION,
        subject_type="integration",
        subject_id=row.id,
        subject_name=row.fqn,
        detail={"address": address},
    )
    return row, session.get_one(Tenant, row.tenant_id)


def _spare(session: Session, outbox: Outbox, row: Integration) -> None:
    """Throttled if it was tried often enough."""
    tried = session.execute(
        mine(AuditRow, row.tenant_id)
        .where(
            AuditRow.at > outbox.now - _PERIOD,
            AuditRow.action == _ACTION,
            AuditRow.subject_id == row.id,
        )
        .with_only_columns(func.count(), func.min(AuditRow.at))
    ).one()
    if tried[0] >= _MOST:
        wait = tried[1] + _PERIOD - outbox.now
        raise Throttled(
            max(wait.total_seconds(), 1.0),
            f"{row.fqn} was tested {_MOST} times within a minute: come back later.",
        )


def _sent(runtime: Runtime, row: Integration, notice: Notice, address: str) -> dict[str, Any]:
    try:
        plugin = runtime.opened.plugin(row)
        assert isinstance(plugin, Notifier)
        answer = plugin.send(notice, address, runtime.ports)
    except KeyturnError as error:
        return {"ok": False, "message": str(error)[:_LONGEST_ANSWER], "code": error.code}
    except Exception as error:  # noqa: BLE001 - a plugin's surprise is reported by name only
        return {"ok": False, "message": f"unexpected {type(error).__name__}", "code": "error"}
    return {"ok": True, "message": (answer or "it is taken over")[:_LONGEST_ANSWER]}
