"""What a subject may do, read from its grants at the moment of use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core.roles import (
    BUILT_IN,
    TEAM_MANAGER,
    TEAM_MEMBER,
    TENANT_MEMBER,
    TENANT_TYPES,
    Grant,
    Permits,
    Role,
)
from models import CustomRole, GrantRow, Team, TeamMember, Tenant
from services.scope import mine


@dataclass(frozen=True)
class Held:
    """A row of `grants`, and what it allows: nothing if this release does not know its role."""

    row: GrantRow
    grant: Grant | None


def permits_of_user(session: Session, tenant: Tenant, user_id: UUID) -> Permits:
    """A person's permits: their own roles, their teams', and what bindings give to either."""
    teams = session.execute(
        select(Team.id, Team.name, TeamMember.is_manager)
        .join(Team, (Team.id == TeamMember.team_id) & (Team.tenant_id == TeamMember.tenant_id))
        .where(TeamMember.tenant_id == tenant.id, TeamMember.user_id == user_id)
    ).all()
    grants = [Grant(BUILT_IN[TENANT_MEMBER], "tenant", tenant.name, tenant_wide=True)]
    for team in teams:
        role = BUILT_IN[TEAM_MANAGER if team.is_manager else TEAM_MEMBER]
        grants.append(Grant(role, "team", f"team:{team.name}"))
    subjects = [user_id, *(team.id for team in teams)]
    return Permits.of(
        (*grants, *_granted(session, tenant, subjects)),
        frozenset(f"team:{team.name}" for team in teams),
    )


def permits_of_account(session: Session, tenant: Tenant, account_id: UUID) -> Permits:
    """A virtual account's permits: exactly what its manifest and bindings grant."""
    return Permits.of(tuple(_granted(session, tenant, [account_id])))


def grants_of(session: Session, tenant_id: UUID, subjects: Iterable[UUID]) -> Sequence[GrantRow]:
    """Every grant that these subjects hold themselves, in a fixed order."""
    return session.scalars(
        mine(GrantRow, tenant_id)
        .where(GrantRow.subject_id.in_(list(subjects)))
        .order_by(GrantRow.resource_type, GrantRow.resource_fqn, GrantRow.role)
    ).all()


def find_role(session: Session, tenant_id: UUID, name: str) -> tuple[Role, UUID | None] | None:
    """A built-in role by its id or a custom one by name or id, with the row's id; None if none."""
    if name in BUILT_IN:
        return BUILT_IN[name], None
    row_id = _uuid(name)
    named = CustomRole.name == name if row_id is None else CustomRole.id == row_id
    row = session.scalar(mine(CustomRole, tenant_id).where(named))
    return (as_role(row), row.id) if row else None


def as_role(row: CustomRole) -> Role:
    """A custom role as the permits see it."""
    return Role(row.name, row.resource_type, frozenset(row.actions))


def held_by(session: Session, tenant: Tenant, subjects: ColumnElement[bool]) -> list[Held]:
    """The grants that this condition names, with their roles, in a fixed order."""
    rows = session.scalars(
        mine(GrantRow, tenant.id)
        .where(subjects)
        .order_by(GrantRow.resource_type, GrantRow.resource_fqn, GrantRow.role, GrantRow.id)
    ).all()
    custom = {row.custom_role_id for row in rows if row.custom_role_id}
    roles: dict[UUID, Role] = {}
    if custom:
        found = session.scalars(mine(CustomRole, tenant.id).where(CustomRole.id.in_(custom)))
        roles = {row.id: as_role(row) for row in found}
    held = []
    for row in rows:
        role = roles.get(row.custom_role_id) if row.custom_role_id else BUILT_IN.get(row.role)
        tenant_wide = row.resource_type in TENANT_TYPES and row.resource_fqn == tenant.name
        allowed = None
        if role is not None:
            allowed = Grant(role, row.resource_type, row.resource_fqn, tenant_wide=tenant_wide)
        held.append(Held(row, allowed))
    return held


def _granted(session: Session, tenant: Tenant, subjects: Iterable[UUID]) -> Iterable[Grant]:
    held = held_by(session, tenant, GrantRow.subject_id.in_(list(subjects)))
    return (one.grant for one in held if one.grant)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
