"""What somebody can choose from when they write an account's manifest."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.plugins import Family
from core.roles import BUILT_IN, TENANT_TYPES, Resource
from models import CustomRole, IdentityProvider, Integration, SecretGroup, Team, Tenant
from services.accounts.entitlements import may_use
from services.runtime import Runtime
from services.scope import mine
from services.secrets.secret_views import fqn_of

_MOST = 1_000
# The types of resources that Keyturn itself has, besides the tenant.
_OWN = ("provider-account", "provider-integration", "secret-group", "team", "virtual-account")


@dataclass(frozen=True)
class Choice:
    """An integration that can be named, as people know it."""

    fqn: str
    name: str
    kind: str


@dataclass(frozen=True)
class RoleChoice:
    """A role and the type of resource that it is on."""

    id: str
    resource_type: str


@dataclass(frozen=True)
class Options:
    """All of it, within what the actor may use."""

    stores: Sequence[Choice]
    channels: Sequence[Choice]
    teams: Sequence[str]
    roles: Sequence[RoleChoice]
    resources: Sequence[str]
    providers: Sequence[str]
    tenant: str


def options_for(runtime: Runtime, actor: Actor) -> Options:
    """What the actor can choose from; a fixed number of queries."""
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        integrations = [
            row
            for row in session.scalars(
                mine(Integration, tenant.id)
                .where(Integration.deleted_at.is_(None))
                .order_by(Integration.fqn)
                .limit(_MOST)
            )
            if may_use(actor, row)
        ]
        teams = session.scalars(
            select(Team.name).where(Team.tenant_id == tenant.id).order_by(Team.name).limit(_MOST)
        ).all()
        providers = session.scalars(
            select(IdentityProvider.name)
            .where(IdentityProvider.tenant_id == tenant.id, literal(actor.permits.is_admin))
            .order_by(IdentityProvider.name)
        ).all()
        return Options(
            stores=_choices(integrations, Family.SINK),
            channels=_choices(integrations, Family.NOTIFIER),
            teams=[name for name in teams if _may_own(actor, name)],
            roles=_roles(session, actor, tenant),
            resources=_resources(session, actor, tenant, integrations, teams),
            providers=providers,
            tenant=tenant.name,
        )


def _choices(integrations: Sequence[Integration], family: Family) -> list[Choice]:
    return [Choice(row.fqn, row.name, row.kind) for row in integrations if row.family is family]


def _may_own(actor: Actor, team: str) -> bool:
    return actor.may("team:manage", Resource("team", f"team:{team}"))


def _roles(session: Session, actor: Actor, tenant: Tenant) -> list[RoleChoice]:
    """The tenant's own ones only for whoever may read them."""
    custom = session.scalars(
        mine(CustomRole, tenant.id)
        .where(literal(actor.permits.allow_everywhere("role:read")))
        .order_by(CustomRole.name)
        .limit(_MOST)
    )
    types = (*sorted(TENANT_TYPES), *_OWN)
    built_in = [
        RoleChoice(role.id, role.resource_type)
        for role in BUILT_IN.values()
        if role.resource_type in types
    ]
    return [*built_in, *(RoleChoice(row.name, row.resource_type) for row in custom)]


def _resources(
    session: Session,
    actor: Actor,
    tenant: Tenant,
    integrations: Sequence[Integration],
    teams: Sequence[str],
) -> list[str]:
    groups = [
        fqn
        for group in session.scalars(mine(SecretGroup, tenant.id).limit(_MOST))
        if actor.may("secret-group:read", Resource("secret-group", fqn := fqn_of(tenant, group)))
    ]
    return [
        tenant.name,
        *(f"team:{name}" for name in teams),
        *(row.fqn for row in integrations),
        *sorted(groups),
    ]
