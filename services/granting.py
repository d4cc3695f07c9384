"""Granting: a subject's own roles on resources, made to agree with what was asked for.

Privilege cannot be raised here: nobody grants what they do not hold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Forbidden, InvalidInput
from core.ids import new_id
from core.roles import RESOURCE_TYPES, TENANT_TYPES, Resource
from models import GrantRow, SubjectKind, Tenant
from services.permits import find_role
from services.scope import mine


@dataclass(frozen=True)
class Wish:
    """A role on a resource, as a client asks for it. `field` is where it stood."""

    resource_type: str
    resource_fqn: str
    role: str
    field: str


@dataclass(frozen=True)
class Subject:
    """Whom something is granted to."""

    kind: SubjectKind
    id: UUID


def settle_grants(
    session: Session,
    actor: Actor,
    tenant: Tenant,
    subjects: Sequence[Subject],
    wishes: Iterable[Wish],
    *,
    binding_id: UUID | None = None,
) -> None:
    """These subjects hold exactly these roles, by this binding or of their own.

    What is held already may stay, whoever asks; anything new must be the actor's to give.
    """
    wanted = _wanted(session, tenant, subjects, wishes)
    existing = session.scalars(
        mine(GrantRow, tenant.id).where(
            GrantRow.binding_id == binding_id
            if binding_id
            else GrantRow.binding_id.is_(None)
            & GrantRow.subject_id.in_([subject.id for subject in subjects])
        )
    ).all()
    for row in existing:
        key = (row.subject_kind, row.subject_id, row.resource_type, row.resource_fqn, row.role)
        if wanted.pop(key, None) is None:
            session.delete(row)
    for (kind, subject_id, resource_type, fqn, role_id), (wish, custom_id) in wanted.items():
        _check_held(session, actor, tenant, wish)
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


def forget_subject(session: Session, tenant_id: UUID, subject_id: UUID) -> None:
    """Takes away all that was granted to a subject that is going."""
    session.execute(
        delete(GrantRow).where(GrantRow.tenant_id == tenant_id, GrantRow.subject_id == subject_id)
    )


_Key = tuple[SubjectKind, UUID, str, str, str]


def _wanted(
    session: Session, tenant: Tenant, subjects: Sequence[Subject], wishes: Iterable[Wish]
) -> dict[_Key, tuple[Wish, UUID | None]]:
    wanted: dict[_Key, tuple[Wish, UUID | None]] = {}
    for wish in wishes:
        if wish.resource_type not in RESOURCE_TYPES:
            allowed = ", ".join(sorted(RESOURCE_TYPES))
            raise InvalidInput(f"{wish.field}.resource_type", f"give one of {allowed}")
        is_tenant = wish.resource_type in TENANT_TYPES
        if is_tenant and wish.resource_fqn != tenant.name:
            raise InvalidInput(f"{wish.field}.resource_fqn", f"a tenant is named {tenant.name}")
        found = find_role(session, tenant.id, wish.role)
        if found is None:
            raise InvalidInput(f"{wish.field}.role_id", "there is no role of this name here")
        role, custom_id = found
        fits = role.resource_type == wish.resource_type or (
            is_tenant and role.resource_type in TENANT_TYPES
        )
        if not fits:
            raise InvalidInput(
                f"{wish.field}.role_id", f"this role is for resources of type {role.resource_type}"
            )
        for subject in subjects:
            key = (subject.kind, subject.id, wish.resource_type, wish.resource_fqn, role.id)
            wanted[key] = wish, custom_id
    return wanted


def _check_held(session: Session, actor: Actor, tenant: Tenant, wish: Wish) -> None:
    found = find_role(session, tenant.id, wish.role)
    assert found is not None
    role, _ = found
    resource = Resource(wish.resource_type, wish.resource_fqn)
    if not actor.permits.hold(role, resource):
        raise Forbidden(f"{wish.field}: you do not hold {role.id} on {wish.resource_fqn} yourself.")
