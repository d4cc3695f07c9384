"""Looking at integrations: what there is, how their destinations are, whether they connect."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import NotFound
from core.roles import Resource
from models import Delivery, DeliveryState, Integration, Lane, ProviderAccount, Tenant
from services.accounts.entitlements import demand_use, may_use
from services.integrations.integrations import account_resource, check_integration
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find, mine


@dataclass(frozen=True)
class LaneView:
    """One way to a destination: its row, and how many deliveries wait on it."""

    lane: Lane
    waiting: int


@dataclass(frozen=True)
class IntegrationView:
    """An integration as it is read, its credentials masked."""

    integration: Integration
    account: ProviderAccount
    tenant: Tenant
    lanes: Sequence[LaneView]


def list_views(
    runtime: Runtime, actor: Actor, *, limit: int, offset: int
) -> tuple[list[IntegrationView], int]:
    """A page of the integrations that the actor may read or use, by FQN, and how many there are."""
    with runtime.database.reading() as session:
        rows = session.scalars(
            mine(Integration, actor.tenant_id)
            .where(Integration.deleted_at.is_(None))
            .order_by(Integration.fqn)
        ).all()
        seen = [row for row in rows if _may_read(actor, row)]
        return _views(session, actor.tenant_id, seen[offset : offset + limit]), len(seen)


def get_view(runtime: Runtime, actor: Actor, integration_id: str | UUID) -> IntegrationView:
    """One integration with its lanes."""
    with runtime.database.reading() as session:
        return view_in(session, actor, integration_id)


def view_in(session: Session, actor: Actor, integration_id: str | UUID) -> IntegrationView:
    """The same within a transaction."""
    row = _living(session, actor, integration_id)
    if not _may_read(actor, row):
        actor.demand("provider-integration:read", _resource(row))
    return _views(session, actor.tenant_id, [row])[0]


def integration_names(runtime: Runtime, actor: Actor) -> list[tuple[str, str]]:
    """Id and name of every integration that the actor may read or use, by name."""
    with runtime.database.reading() as session:
        rows = session.scalars(
            mine(Integration, actor.tenant_id)
            .where(Integration.deleted_at.is_(None))
            .order_by(Integration.name, Integration.fqn)
        ).all()
        return [(str(row.id), row.name) for row in rows if _may_read(actor, row)]


def provider_accounts(runtime: Runtime, actor: Actor, provider: str) -> dict[str, set[str]]:
    """The provider's accounts that the actor may change, by name; and what each manifest says."""
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        rows = session.scalars(
            mine(ProviderAccount, tenant.id)
            .where(ProviderAccount.provider == provider, ProviderAccount.deleted_at.is_(None))
            .order_by(ProviderAccount.name)
        ).all()
        return {
            row.name: set(row.manifest)
            for row in rows
            if actor.may("provider-account:update", account_resource(tenant, provider, row.name))
        }


def check_view(runtime: Runtime, actor: Actor, integration_id: str | UUID) -> dict[str, Any]:
    """Really connects and says what is wrong; whoever may use an integration may check it."""
    with runtime.database.reading() as session:
        row = _living(session, actor, integration_id)
        demand_use(actor, row)
    found = check_integration(runtime, row)

    def use_case(_session: Session, outbox: Outbox) -> None:
        outbox.audit(
            actor,
            "integration.checked",
            subject_type="integration",
            subject_id=row.id,
            subject_name=row.fqn,
            detail={"ok": found["ok"]},
        )

    runtime.change(use_case)
    return found


def _resource(row: Integration) -> Resource:
    return Resource("provider-integration", row.fqn)


def _may_read(actor: Actor, row: Integration) -> bool:
    return actor.may("provider-integration:read", _resource(row)) or may_use(actor, row)


def _living(session: Session, actor: Actor, integration_id: str | UUID) -> Integration:
    row = find(session, Integration, actor.tenant_id, integration_id, "integration")
    if row.deleted_at is not None:
        raise NotFound("integration", integration_id)
    return row


def _views(session: Session, tenant_id: UUID, rows: Sequence[Integration]) -> list[IntegrationView]:
    """Four queries, however many there are."""
    tenant = session.get_one(Tenant, tenant_id)
    accounts = {
        account.id: account
        for account in session.scalars(
            mine(ProviderAccount, tenant_id).where(
                ProviderAccount.id.in_({row.provider_account_id for row in rows})
            )
        )
    }
    lanes = session.scalars(
        mine(Lane, tenant_id)
        .where(Lane.integration_id.in_([row.id for row in rows]))
        .order_by(Lane.address)
    ).all()
    counted = session.execute(
        select(Delivery.lane_id, func.count())
        .where(
            Delivery.lane_id.in_([lane.id for lane in lanes]),
            Delivery.tenant_id == tenant_id,
            Delivery.state == DeliveryState.PENDING,
        )
        .group_by(Delivery.lane_id)
    )
    waiting = {row[0]: row[1] for row in counted}
    of_integration: dict[UUID, list[LaneView]] = defaultdict(list)
    for lane in lanes:
        of_integration[lane.integration_id].append(LaneView(lane, waiting.get(lane.id, 0)))
    return [
        IntegrationView(row, accounts[row.provider_account_id], tenant, of_integration[row.id])
        for row in rows
    ]
