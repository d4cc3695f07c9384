"""Who holds a role: people, teams and virtual accounts, on what, and by which binding."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import NotFound
from models import GrantRow, RoleBinding, SubjectKind, Team, Tenant, User, VirtualAccount
from services.access.permits import find_role
from services.access.roles import RoleView, view_of
from services.runtime import Runtime
from services.scope import mine


@dataclass(frozen=True)
class Holder:
    """Somebody who holds the role on something; of their own, or by a binding."""

    kind: SubjectKind
    id: UUID
    name: str
    resource_type: str
    resource_fqn: str
    binding_id: UUID | None
    binding: str


@dataclass(frozen=True)
class HeldRole:
    """A role with a page of those who hold it, and how many they are."""

    view: RoleView
    holders: Sequence[Holder]
    total: int


def role_with_holders(
    runtime: Runtime, actor: Actor, role_id: str, *, limit: int, offset: int
) -> HeldRole:
    """The role of this id or name; a fixed number of queries."""
    actor.demand_everywhere("role:read")
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        found = find_role(session, tenant.id, role_id)
        if found is None:
            raise NotFound("role", role_id)
        role, custom_id = found
        held = _held(role.id, custom_id)
        rows = mine(GrantRow, tenant.id).where(held)
        total = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        page = session.scalars(
            rows.order_by(GrantRow.resource_fqn, GrantRow.subject_kind, GrantRow.id)
            .limit(limit)
            .offset(offset)
        ).all()
        view = view_of(session, tenant, role, custom_id)
        return HeldRole(view, _named(session, tenant, page), total)


def count_holders(runtime: Runtime, actor: Actor, custom_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many grants there are of each of these custom roles, in one query."""
    actor.demand_everywhere("role:read")
    with runtime.database.reading() as session:
        rows = session.execute(
            select(GrantRow.custom_role_id, func.count())
            .where(
                GrantRow.tenant_id == actor.tenant_id,
                GrantRow.custom_role_id.in_(list(custom_ids)),
            )
            .group_by(GrantRow.custom_role_id)
        )
        return {role_id: count for role_id, count in rows if role_id}


def _held(name: str, custom_id: UUID | None) -> ColumnElement[bool]:
    if custom_id is not None:
        return GrantRow.custom_role_id == custom_id
    return (GrantRow.role == name) & GrantRow.custom_role_id.is_(None)


def _named(session: Session, tenant: Tenant, page: Sequence[GrantRow]) -> list[Holder]:
    names: dict[UUID, str] = {}
    models: tuple[tuple[Any, Any], ...] = (
        (User, User.email),
        (Team, Team.name),
        (VirtualAccount, VirtualAccount.name),
        (RoleBinding, RoleBinding.name),
    )
    ids = {one for row in page for one in (row.subject_id, row.binding_id) if one}
    for model, name in models:
        named = select(model.id, name).where(model.tenant_id == tenant.id, model.id.in_(ids))
        names |= {row[0]: row[1] for row in session.execute(named)}
    return [
        Holder(
            kind=row.subject_kind,
            id=row.subject_id,
            name=names.get(row.subject_id, str(row.subject_id)),
            resource_type=row.resource_type,
            resource_fqn=row.resource_fqn,
            binding_id=row.binding_id,
            binding=names.get(row.binding_id, "") if row.binding_id else "",
        )
        for row in page
    ]
