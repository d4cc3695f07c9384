"""Integrations: provider accounts by manifest, with credentials sealed and never shown."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, KeyturnError
from core.events import EventType
from core.ids import new_id
from core.plugins import Family
from core.roles import Resource
from core.spelling import reference_spelling
from models import (
    Integration,
    Lane,
    LaneState,
    ProviderAccount,
    Tenant,
)
from services.delivery.destinations import lane_for, repace
from services.delivery.judging import tell_lane
from services.integrations.asterisks import unmask
from services.integrations.describing import Described, describe, headings, masked
from services.integrations.integration_removal import remove_integration
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find_locked, mine


@dataclass
class Applied:
    """A provider account as it is now."""

    account: ProviderAccount
    tenant: Tenant
    integrations: list[Integration]
    created: bool
    changed: bool
    existing: dict[str, Any] | None = None
    checks: dict[UUID, dict[str, Any]] = field(default_factory=dict)


def apply_provider_account(
    runtime: Runtime, actor: Actor, given: dict[str, Any], *, dry_run: bool = False
) -> Applied:
    """Creates the provider account or makes it agree with the manifest, then checks it.

    A valid integration is stored even if its store does not answer; what the check found is
    kept beside it. Credentials that come back as asterisks keep their stored value.
    """
    spelled = reference_spelling(given)

    def use_case(session: Session, outbox: Outbox) -> Applied:
        return apply_spelled(runtime, session, outbox, actor, spelled)

    applied = runtime.change(use_case, rehearse=dry_run)
    if applied.changed and not dry_run:
        for integration in applied.integrations:
            check_integration(runtime, integration)
    return applied


def check_integration(runtime: Runtime, integration: Integration) -> dict[str, Any]:
    """Really connects, outside any transaction; keeps and answers what was found."""
    found: dict[str, Any]
    try:
        found = {"ok": True, "message": runtime.opened.plugin(integration).check(runtime.ports)}
    except KeyturnError as error:
        found = {"ok": False, "message": str(error), "code": error.code}
    except Exception as error:  # noqa: BLE001 - a plugin's surprise is reported by name only
        found = {"ok": False, "message": f"unexpected {type(error).__name__}", "code": "error"}
    found["at"] = runtime.now().isoformat()

    def record(session: Session) -> None:
        row = session.get_one(Integration, (integration.id, integration.tenant_id))
        row.checked = found

    runtime.database.write(record)
    integration.checked = found
    return found


def list_integrations(runtime: Runtime, actor: Actor) -> list[tuple[Integration, list[Lane]]]:
    """Every integration that the actor may read, with its lanes."""
    with runtime.database.reading() as session:
        integrations = session.scalars(
            mine(Integration, actor.tenant_id)
            .where(Integration.deleted_at.is_(None))
            .order_by(Integration.fqn)
        ).all()
        lanes: dict[UUID, list[Lane]] = defaultdict(list)
        for lane in session.scalars(mine(Lane, actor.tenant_id).order_by(Lane.address)):
            lanes[lane.integration_id].append(lane)
        return [
            (integration, lanes[integration.id])
            for integration in integrations
            if actor.may(
                "provider-integration:read", Resource("provider-integration", integration.fqn)
            )
        ]


def resume_lane(runtime: Runtime, actor: Actor, lane_id: str | UUID) -> None:
    """A paused lane sends again; backing off starts anew. A second call changes nothing."""

    def use_case(session: Session, outbox: Outbox) -> None:
        actor.demand_everywhere("provider-integration:manage")
        lane = find_locked(session, Lane, actor.tenant_id, lane_id, "lane")
        if lane.state is LaneState.PAUSED:
            lane.resume(outbox.now)
            outbox.lanes.add(lane.id)
            tell_lane(session, outbox, lane, EventType.LANE_RESUMED)
            _audit_lane(outbox, actor, "lane.resumed", lane)

    runtime.change(use_case)


def pause_lane(runtime: Runtime, actor: Actor, lane_id: str | UUID) -> None:
    """Nothing is sent on this lane until it is resumed."""

    def use_case(session: Session, outbox: Outbox) -> None:
        actor.demand_everywhere("provider-integration:manage")
        lane = find_locked(session, Lane, actor.tenant_id, lane_id, "lane")
        if lane.state is LaneState.OPEN:
            lane.pause(f"paused by {actor.name}", outbox.now)
            _audit_lane(outbox, actor, "lane.paused", lane)

    runtime.change(use_case)


def find_account(
    session: Session, actor: Actor, provider: str, name: str
) -> ProviderAccount | None:
    """The provider account of this name, locked; None if there is none."""
    return session.scalar(
        mine(ProviderAccount, actor.tenant_id)
        .where(
            ProviderAccount.provider == provider,
            ProviderAccount.name == name,
            ProviderAccount.deleted_at.is_(None),
        )
        .with_for_update(key_share=True)
    )


def apply_spelled(
    runtime: Runtime, session: Session, outbox: Outbox, actor: Actor, spelled: dict[str, Any]
) -> Applied:
    """The same within a transaction, of a manifest in the reference's spelling; checks nothing."""
    tenant = session.get_one(Tenant, actor.tenant_id)
    provider, name = headings(spelled)
    account = find_account(session, actor, provider, name)
    before = _unsealed(runtime, account) if account else None
    full = unmask(spelled, before)
    described = describe(tenant, provider, name, full)
    shown = masked(spelled, described)
    existing = account.manifest if account else None
    if account is not None and full == before:
        actor.demand("provider-account:read", account_resource(tenant, provider, name))
        return Applied(account, tenant, _integrations(session, account), False, False, existing)
    created = account is None
    verb = "create" if created else "update"
    actor.demand(f"provider-account:{verb}", account_resource(tenant, provider, name))
    if account is None:
        account = ProviderAccount(
            tenant_id=tenant.id,
            id=new_id(),
            provider=provider,
            name=name,
            created_by=actor.as_subject(),
            created_at=outbox.now,
        )
    account.manifest = shown
    account.updated_at = outbox.now
    account.sealed = runtime.keyring.seal(
        "provider_accounts", tenant.id, account.id, json.dumps(full).encode()
    )
    session.add(account)
    session.flush()
    integrations = _settle(runtime, session, outbox, actor, account, described)
    outbox.audit(
        actor,
        "provider-account.created" if created else "provider-account.updated",
        subject_type="provider-account",
        subject_id=account.id,
        subject_name=f"{provider}/{name}",
        detail={"before": existing, "after": shown},
    )
    return Applied(account, tenant, integrations, created, True, existing)


def account_resource(tenant: Tenant, provider: str, name: str) -> Resource:
    """The provider account as something that actions are done to."""
    return Resource("provider-account", f"{tenant.name}:{provider}:{name}")


def _settle(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    account: ProviderAccount,
    described: Sequence[Described],
) -> list[Integration]:
    existing = {row.fqn: row for row in _integrations(session, account)}
    integrations = []
    for one in described:
        row = existing.pop(one.fqn, None)
        if row is not None and row.kind != one.kind:
            raise Conflict(f"{one.fqn} is of type {row.kind}; a type cannot be changed.")
        row = row or Integration(
            tenant_id=account.tenant_id,
            id=new_id(),
            provider_account_id=account.id,
            family=one.family,
            kind=one.kind,
            name=one.name,
            fqn=one.fqn,
            version=0,
            checked={},
            created_by=actor.as_subject(),
            created_at=outbox.now,
        )
        row.rate = one.rate
        row.authorized_subjects = one.authorized_subjects
        row.version += 1
        row.updated_at = outbox.now
        row.sealed = runtime.keyring.seal(
            "integrations", row.tenant_id, row.id, json.dumps(one.config).encode()
        )
        session.add(row)
        session.flush()
        if one.family is Family.SINK:
            lane_for(session, row, one.plugin)
        repace(session, row, one.plugin)
        integrations.append(row)
    for row in existing.values():
        remove_integration(session, outbox, row)
    return integrations


def _integrations(session: Session, account: ProviderAccount) -> list[Integration]:
    return list(
        session.scalars(
            mine(Integration, account.tenant_id)
            .where(Integration.provider_account_id == account.id, Integration.deleted_at.is_(None))
            .order_by(Integration.created_at)
        )
    )


def _unsealed(runtime: Runtime, account: ProviderAccount) -> dict[str, Any] | None:
    if not account.sealed:
        return None  # lost with a master key
    opened = runtime.keyring.open(
        "provider_accounts", account.tenant_id, account.id, account.sealed
    )
    full: dict[str, Any] = json.loads(opened)
    return full


def _audit_lane(outbox: Outbox, actor: Actor, action: str, lane: Lane) -> None:
    outbox.audit(actor, action, subject_type="lane", subject_id=lane.id, subject_name=lane.kind)
