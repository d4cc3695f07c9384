"""Taking integrations away: only what nobody uses, and never while somebody begins to."""

from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, union
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, NotFound
from core.roles import Resource
from models import (
    DefaultTarget,
    Integration,
    Lane,
    Place,
    PlaceState,
    ProviderAccount,
    SecretGroup,
    Target,
    Tenant,
)
from services.access.granting import forget_resource
from services.integrations.describing import headings
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import mine

_GONE = b""  # what stands in place of credentials that nobody needs any more


def delete_provider_account(runtime: Runtime, actor: Actor, type_: str, name: str) -> None:
    """Takes the provider account of this type and name away, with its integrations.

    Conflict says how many virtual accounts still use one. What waits to be removed from a store
    is still removed.
    """
    provider, name = headings({"type": type_, "name": name})

    def use_case(session: Session, outbox: Outbox) -> None:
        account = session.scalar(
            mine(ProviderAccount, actor.tenant_id)
            .where(
                ProviderAccount.provider == provider,
                ProviderAccount.name == name,
                ProviderAccount.deleted_at.is_(None),
            )
            .with_for_update()
        )
        if account is None:
            raise NotFound("provider account", f"{provider}/{name}")
        remove_account(session, outbox, actor, account)

    runtime.change(use_case)


def remove_account(
    session: Session, outbox: Outbox, actor: Actor, account: ProviderAccount
) -> None:
    """The same of an account whose row the caller has locked. Needs `provider-account:delete`."""
    tenant = session.get_one(Tenant, actor.tenant_id)
    resource = Resource("provider-account", f"{tenant.name}:{account.provider}:{account.name}")
    actor.demand("provider-account:delete", resource)
    for row in session.scalars(
        mine(Integration, actor.tenant_id)
        .where(Integration.provider_account_id == account.id, Integration.deleted_at.is_(None))
        .order_by(Integration.id)
    ):
        remove_integration(session, outbox, row)
    account.deleted_at = outbox.now
    account.sealed = _GONE
    forget_resource(session, actor.tenant_id, resource.type, resource.fqn)
    outbox.audit(
        actor,
        "provider-account.deleted",
        subject_type="provider-account",
        subject_id=account.id,
        subject_name=f"{account.provider}/{account.name}",
        detail={"before": account.manifest},
    )


def remove_integration(session: Session, outbox: Outbox, row: Integration) -> None:
    """The integration is gone for everybody; Conflict names how many still use it.

    Whoever begins to use it at this moment holds its row: it waits for them, or they for it.
    """
    session.refresh(row, with_for_update=True)
    used = [
        f"{count} {what}"
        for count, what in (
            (_accounts(session, row), "virtual accounts"),
            (_groups(session, row), "secret groups"),
            (_teams(session, row), "teams"),
        )
        if count
    ]
    used += ["the security settings"] if _is_default(session, row) else []
    if used:
        raise Conflict(f"{row.fqn} is used by {' and '.join(used)}; take it out of them first.")
    row.deleted_at = outbox.now
    forget_resource(session, row.tenant_id, "provider-integration", row.fqn)


def _accounts(session: Session, row: Integration) -> int:
    lanes = _lanes(row)
    keeping = select(Place.account_id).where(
        Place.tenant_id == row.tenant_id,
        Place.lane_id.in_(lanes),
        Place.state == PlaceState.ACTIVE,
    )
    telling = select(Target.account_id).where(
        Target.tenant_id == row.tenant_id, Target.lane_id.in_(lanes)
    )
    return session.scalar(select(func.count()).select_from(union(keeping, telling).subquery())) or 0


def _teams(session: Session, row: Integration) -> int:
    telling = select(func.count(DefaultTarget.team_id.distinct())).where(_by_default(row))
    return session.scalar(telling) or 0


def _is_default(session: Session, row: Integration) -> bool:
    of_tenant = select(DefaultTarget.id).where(_by_default(row), DefaultTarget.team_id.is_(None))
    return session.scalar(of_tenant.limit(1)) is not None


def _by_default(row: Integration) -> ColumnElement[bool]:
    return (DefaultTarget.tenant_id == row.tenant_id) & DefaultTarget.lane_id.in_(_lanes(row))


def _lanes(row: Integration) -> Select[UUID]:
    return select(Lane.id).where(Lane.tenant_id == row.tenant_id, Lane.integration_id == row.id)


def _groups(session: Session, row: Integration) -> int:
    return (
        session.scalar(
            select(func.count()).where(
                SecretGroup.tenant_id == row.tenant_id, SecretGroup.integration_id == row.id
            )
        )
        or 0
    )
