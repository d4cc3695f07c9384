"""Granting: a subject's own roles on resources, made to agree with what was asked for.

Privilege cannot be raised here: nobody grants, or takes, what they do not hold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, delete
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Forbidden, InvalidInput
from core.ids import new_id
from core.roles import RESOURCE_TYPES, TENANT_TYPES, Resource, Role
from models import CustomRole, GrantRow, SubjectKind, Tenant
from services import changes
from services.access.permits import Held, as_role, find_role, held_by


@dataclass(frozen=True)
class Subject:
    """Whom something is granted to."""

    kind: SubjectKind
    id: UUID


@dataclass(frozen=True)
class Wish:
    """A role on a resource, as a client asks for it. `field` is where it stood.

    `role_field` is what the client calls the role there; `subject` is whom alone it is for.
    """

    resource_type: str
    resource_fqn: str
    role: str
    field: str
    role_field: str = "role_id"
    subject: Subject | None = None


def settle_grants(
    session: Session,
    actor: Actor,
    tenant: Tenant,
    subjects: Sequence[Subject],
    wishes: Iterable[Wish],
    *,
    binding_id: UUID | None = None,
) -> bool:
    """These subjects hold exactly these roles, by this binding or of their own.

    What is held already may stay, whoever asks; what is new or goes must be the actor's to give.
    Answers whether anything changed.
    """
    wanted = _wanted(session, tenant, subjects, wishes)
    existing = held_by(session, tenant, _of(subjects, binding_id))
    gone = [held for held in existing if wanted.pop(_key(held.row), None) is None]
    new = {wish: role for wish, role, _ in wanted.values()}
    for wish, role in new.items():
        demand_held(actor, role, Resource(wish.resource_type, wish.resource_fqn), wish.field)
    take(session, actor, gone)
    for (kind, subject_id, resource_type, fqn, role_id), (_, _, custom_id) in wanted.items():
        session.add(
            GrantRow(
                tenant_id=tenant.id,
                id=new_id(),
                subject_kind=kind,
                subject_id=subject_id,
                resource_type=resource_type,
                resource_fqn=fqn,
                role=role_id,
                custom_role_id=custom_id,
                binding_id=binding_id,
            )
        )
    session.flush()
    return bool(gone or wanted)


def take(session: Session, actor: Actor, grants: Iterable[Held]) -> None:
    """Takes these away; Forbidden if one is more than the actor holds."""
    for held in grants:
        resource = Resource(held.row.resource_type, held.row.resource_fqn)
        if held.grant is not None:
            demand_held(actor, held.grant.role, resource, "permissions")
        session.delete(held.row)
    session.flush()


def demand_held(actor: Actor, role: Role, resource: Resource, field: str) -> None:
    """Forbidden unless the actor may do all that this role allows on this resource."""
    if not actor.permits.hold(role, resource):
        raise Forbidden(f"{field}: you do not hold {role.id} on {resource.fqn} yourself.")


def forget_subject(session: Session, tenant_id: UUID, subject_id: UUID) -> None:
    """Takes away all that was granted to a subject that is going."""
    session.execute(
        delete(GrantRow).where(GrantRow.tenant_id == tenant_id, GrantRow.subject_id == subject_id)
    )
    changes.record(session, [(tenant_id, subject_id)])


def forget_resource(session: Session, tenant_id: UUID, resource_type: str, fqn: str) -> None:
    """Takes away all that was granted on a resource that is going.

    Another one of the same name is another resource.
    """
    gone = session.execute(
        delete(GrantRow)
        .where(
            GrantRow.tenant_id == tenant_id,
            GrantRow.resource_type == resource_type,
            GrantRow.resource_fqn == fqn,
        )
        .returning(GrantRow.id)
    )
    if gone.all():
        changes.record(session, [(tenant_id, tenant_id)])


_Key = tuple[SubjectKind, UUID, str, str, str]


def _key(row: GrantRow) -> _Key:
    return row.subject_kind, row.subject_id, row.resource_type, row.resource_fqn, row.role


def _of(subjects: Sequence[Subject], binding_id: UUID | None) -> ColumnElement[bool]:
    if binding_id:
        return GrantRow.binding_id == binding_id
    own = GrantRow.subject_id.in_([subject.id for subject in subjects])
    return GrantRow.binding_id.is_(None) & own


def _wanted(
    session: Session, tenant: Tenant, subjects: Sequence[Subject], wishes: Iterable[Wish]
) -> dict[_Key, tuple[Wish, Role, UUID | None]]:
    wanted: dict[_Key, tuple[Wish, Role, UUID | None]] = {}
    for wish in wishes:
        role, custom_id = _role(session, tenant, wish)
        for subject in [wish.subject] if wish.subject else subjects:
            key = (subject.kind, subject.id, wish.resource_type, wish.resource_fqn, role.id)
            wanted.setdefault(key, (wish, role, custom_id))
    return wanted


def _role(session: Session, tenant: Tenant, wish: Wish) -> tuple[Role, UUID | None]:
    """The role that is wished for; InvalidInput unless it is one for such a resource."""
    if wish.resource_type not in RESOURCE_TYPES:
        allowed = ", ".join(sorted(RESOURCE_TYPES))
        raise InvalidInput(f"{wish.field}.resource_type", f"give one of {allowed}")
    is_tenant = wish.resource_type in TENANT_TYPES
    if is_tenant and wish.resource_fqn != tenant.name:
        raise InvalidInput(f"{wish.field}.resource_fqn", f"a tenant is named {tenant.name}")
    found = find_role(session, tenant.id, wish.role)
    field = f"{wish.field}.{wish.role_field}"
    if found is None:
        raise InvalidInput(field, "there is no role of this name here")
    role, custom_id = found
    if custom_id is not None:  # it stays, and for such resources, until our commit
        row = session.get(
            CustomRole,
            (custom_id, tenant.id),
            with_for_update={"read": True},
            populate_existing=True,
        )
        if row is None:
            raise InvalidInput(field, "there is no role of this name here")
        role = as_role(row)
    fits = role.resource_type == wish.resource_type or (
        is_tenant and role.resource_type in TENANT_TYPES
    )
    if not fits:
        raise InvalidInput(field, f"this role is for resources of type {role.resource_type}")
    return role, custom_id
