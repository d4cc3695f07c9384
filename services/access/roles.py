"""Roles: the built-in ones, and those that the tenant makes by manifest."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.access_manifests import RoleManifest, read_manifest
from core.actors import Actor
from core.errors import Conflict, Forbidden, NotFound
from core.ids import new_id
from core.roles import BUILT_IN, Role
from core.spelling import reference_spelling
from models import CustomRole, GrantRow, Tenant
from services.access.permits import as_role
from services.expecting import Expected, check_expected
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find_locked, mine

_BUILT_IN = "This role is built in, and stays as it is."
_IN_USE = "Somebody holds this role: take it away from all of them first."


@dataclass(frozen=True)
class RoleView:
    """A role as it is read; a built-in one has no row."""

    role: Role
    tenant: Tenant
    row: CustomRole | None = None


@dataclass(frozen=True)
class PutRole:
    """What a create or update did."""

    view: RoleView
    created: bool
    changed: bool
    existing: dict[str, Any] | None = None

    @property
    def row(self) -> CustomRole:
        assert self.view.row is not None
        return self.view.row


def list_roles(
    runtime: Runtime, actor: Actor, *, limit: int, offset: int
) -> tuple[list[RoleView], int]:
    """A page of the roles, and how many there are: first the built-in ones, then by name."""
    actor.demand_everywhere("role:read")
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        custom = session.scalar(
            select(func.count()).select_from(mine(CustomRole, tenant.id).subquery())
        )
        page = [RoleView(role, tenant) for role in list(BUILT_IN.values())[offset : offset + limit]]
        rows = session.scalars(
            mine(CustomRole, tenant.id)
            .order_by(CustomRole.name)
            .limit(limit - len(page))
            .offset(max(0, offset - len(BUILT_IN)))
        )
        page += [RoleView(as_role(row), tenant, row) for row in rows]
        return page, len(BUILT_IN) + (custom or 0)


def view_of(session: Session, tenant: Tenant, role: Role, custom_id: UUID | None) -> RoleView:
    """This role as it is read."""
    row = session.get(CustomRole, (custom_id, tenant.id)) if custom_id else None
    return RoleView(role, tenant, row)


def roles_for(
    runtime: Runtime, actor: Actor, resource_types: Collection[str] | None = None
) -> list[Role]:
    """All roles for resources of these types, or of any: first the built-in ones, then by name."""
    actor.demand_everywhere("role:read")
    with runtime.database.reading() as session:
        rows = session.scalars(mine(CustomRole, actor.tenant_id).order_by(CustomRole.name))
        roles = [*BUILT_IN.values(), *(as_role(row) for row in rows)]
    return [
        role for role in roles if resource_types is None or role.resource_type in resource_types
    ]


def put_role(
    runtime: Runtime,
    actor: Actor,
    given: dict[str, Any],
    *,
    dry_run: bool = False,
    expected: Expected | None = None,
) -> PutRole:
    """Creates the role of this name or makes it agree with the manifest.

    Its holders may do what it says with their next request. Needs `role:create` or
    `role:update` on the tenant, and there too every action that it allows from now on.
    An update that touches nothing changes nothing.
    """
    spelled = {"type": "role", **reference_spelling(given)}
    manifest = read_manifest(RoleManifest, spelled)

    def use_case(session: Session, outbox: Outbox) -> PutRole:
        check_expected(expected, _named(session, actor, manifest.name))
        return _put(session, outbox, actor, manifest, spelled)

    try:
        return runtime.change(use_case, rehearse=dry_run)
    except IntegrityError:
        raise Conflict(
            f"Somebody else is changing {manifest.name} at this moment: repeat the call."
        ) from None


def delete_role(runtime: Runtime, actor: Actor, role_id: str) -> None:
    """Ends a custom role; Conflict while anybody holds it. Needs `role:delete` on the tenant."""

    def by_id(session: Session) -> CustomRole:
        _refuse_built_in(role_id)
        return find_locked(session, CustomRole, actor.tenant_id, role_id, "role")

    _delete(runtime, actor, by_id)


def delete_role_by_name(runtime: Runtime, actor: Actor, name: str) -> None:
    """The same, by its name."""

    def by_name(session: Session) -> CustomRole:
        _refuse_built_in(name)
        row = _named(session, actor, name)
        if row is None:
            raise NotFound("role", name)
        return row

    _delete(runtime, actor, by_name)


def _put(
    session: Session,
    outbox: Outbox,
    actor: Actor,
    manifest: RoleManifest,
    spelled: dict[str, Any],
) -> PutRole:
    tenant = session.get_one(Tenant, actor.tenant_id)
    row = _named(session, actor, manifest.name)
    existing = row.manifest if row else None
    actor.demand_everywhere("role:update" if row else "role:create")
    if row is not None and existing == spelled:
        return PutRole(RoleView(as_role(row), tenant, row), False, False, existing)
    _demand_added(actor, row, manifest)
    if row is not None and row.resource_type != manifest.resource_type and _in_use(session, row):
        raise Conflict("Somebody holds this role, so what it is for cannot be changed.")
    created = row is None
    row = row or CustomRole(
        tenant_id=tenant.id,
        id=new_id(),
        name=manifest.name,
        created_by=actor.as_subject(),
        created_at=outbox.now,
    )
    row.resource_type = manifest.resource_type
    row.actions = sorted(set(manifest.permissions))
    row.manifest = spelled
    row.updated_at = outbox.now
    session.add(row)
    session.flush()
    detail = {"manifest": spelled} if created else {"before": existing, "after": spelled}
    _audit(outbox, actor, "role.created" if created else "role.updated", row, detail)
    return PutRole(RoleView(as_role(row), tenant, row), created, True, existing)


def _demand_added(actor: Actor, row: CustomRole | None, manifest: RoleManifest) -> None:
    """Nobody puts an action into a role that they may not do to everything in the tenant."""
    had = set(row.actions) if row else set()
    for number, action in enumerate(manifest.permissions):
        if action not in had and not actor.permits.allow_everywhere(action):
            raise Forbidden(f"permissions.{number}: you do not hold {action} on the tenant.")


def _delete(runtime: Runtime, actor: Actor, find: Callable[[Session], CustomRole]) -> None:
    def use_case(session: Session, outbox: Outbox) -> None:
        row = find(session)
        actor.demand_everywhere("role:delete")
        if _in_use(session, row):
            raise Conflict(_IN_USE)
        session.delete(row)
        _audit(outbox, actor, "role.deleted", row, {"manifest": row.manifest})

    try:
        runtime.change(use_case)
    except IntegrityError:  # it was granted between our look and our commit
        raise Conflict(_IN_USE) from None


def _refuse_built_in(name: str) -> None:
    if name in BUILT_IN:
        raise Conflict(_BUILT_IN)


def _named(session: Session, actor: Actor, name: str) -> CustomRole | None:
    return session.scalar(
        mine(CustomRole, actor.tenant_id)
        .where(CustomRole.name == name)
        .with_for_update(key_share=True)
    )


def _in_use(session: Session, row: CustomRole) -> bool:
    grants = mine(GrantRow, row.tenant_id).where(GrantRow.custom_role_id == row.id)
    return session.scalar(grants.limit(1)) is not None


def _audit(
    outbox: Outbox, actor: Actor, action: str, row: CustomRole, detail: dict[str, Any]
) -> None:
    outbox.audit(
        actor,
        action,
        subject_type="role",
        subject_id=row.id,
        subject_name=row.name,
        detail=detail,
    )
