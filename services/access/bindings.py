"""Role bindings: several subjects hold several roles, as one manifest says."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.access_manifests import BoundSubject, RoleBindingManifest, read_manifest
from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound
from core.ids import new_id
from core.spelling import reference_spelling
from models import (
    AccountState,
    GrantRow,
    RoleBinding,
    SubjectKind,
    Team,
    Tenant,
    User,
    VirtualAccount,
)
from services.access.granting import Subject, Wish, settle_grants, take
from services.access.permits import held_by
from services.expecting import Expected, check_expected
from services.outbox import Outbox
from services.people.user_life import an_admin_stays, lock_people
from services.runtime import Runtime
from services.scope import find, find_locked, mine
from services.secrets.collaborators import belongs_to_group, of_people

_WHAT = "role binding"


@dataclass(frozen=True)
class PutBinding:
    """What a create or update did."""

    row: RoleBinding
    created: bool
    changed: bool
    existing: dict[str, Any] | None = None


def list_bindings(
    runtime: Runtime, actor: Actor, *, limit: int, offset: int
) -> tuple[list[RoleBinding], int]:
    """A page of the role bindings by name, and how many there are."""
    actor.demand_everywhere("role-binding:read")
    with runtime.database.reading() as session:
        all_of_them = mine(RoleBinding, actor.tenant_id).where(of_people)
        total = session.scalar(select(func.count()).select_from(all_of_them.subquery())) or 0
        page = session.scalars(all_of_them.order_by(RoleBinding.name).limit(limit).offset(offset))
        return list(page), total


def get_binding(runtime: Runtime, actor: Actor, binding_id: str) -> RoleBinding:
    """One role binding."""
    actor.demand_everywhere("role-binding:read")
    with runtime.database.reading() as session:
        return _of_people(find(session, RoleBinding, actor.tenant_id, binding_id, _WHAT))


def put_binding(
    runtime: Runtime,
    actor: Actor,
    given: dict[str, Any],
    *,
    dry_run: bool = False,
    expected: Expected | None = None,
) -> PutBinding:
    """Creates the binding of this name or makes it agree with the manifest.

    Needs `role-binding:create` or `:update` on the tenant, and all that is given or taken.
    An update that touches nothing changes nothing; what a subject of the same name lost when
    it was deleted, it gets again.
    """
    spelled = {"type": "role-binding", **reference_spelling(given)}
    manifest = read_manifest(RoleBindingManifest, spelled)

    def use_case(session: Session, outbox: Outbox) -> PutBinding:
        tenant = lock_people(session, actor)
        check_expected(expected, _named(session, actor, manifest.name))
        with an_admin_stays(session, tenant):
            return _put(session, outbox, actor, tenant, manifest, spelled)

    try:
        return runtime.change(use_case, rehearse=dry_run)
    except IntegrityError:
        raise Conflict(
            f"Somebody else is changing {manifest.name} or its roles at this moment: "
            "repeat the call."
        ) from None


def delete_binding(runtime: Runtime, actor: Actor, binding_id: str) -> None:
    """What it gave is held no more. Needs `role-binding:delete`, and all that is taken."""

    def with_id(session: Session) -> RoleBinding:
        return _of_people(find_locked(session, RoleBinding, actor.tenant_id, binding_id, _WHAT))

    _delete(runtime, actor, with_id)


def delete_binding_by_name(runtime: Runtime, actor: Actor, name: str) -> None:
    """The same, by its name."""

    def named(session: Session) -> RoleBinding:
        row = _named(session, actor, name)
        if row is None:
            raise NotFound(_WHAT, name)
        return row

    _delete(runtime, actor, named)


def _put(
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    manifest: RoleBindingManifest,
    spelled: dict[str, Any],
) -> PutBinding:
    row = _named(session, actor, manifest.name)
    existing = row.manifest if row else None
    actor.demand_everywhere("role-binding:update" if row else "role-binding:create")
    created = row is None
    row = row or RoleBinding(
        tenant_id=tenant.id,
        id=new_id(),
        name=manifest.name,
        manifest=spelled,
        created_by=actor.as_subject(),
        created_at=outbox.now,
        updated_at=outbox.now,
    )
    session.add(row)
    session.flush()
    wishes = [
        Wish(one.resource_type, one.resource_fqn, one.role, f"permissions.{number}", "role")
        for number, one in enumerate(manifest.permissions)
    ]
    subjects = _subjects(session, tenant, manifest.subjects)
    moved = settle_grants(session, actor, tenant, subjects, wishes, binding_id=row.id)
    changed = moved or existing != spelled
    if changed:
        row.manifest = spelled
        row.updated_at = outbox.now
        session.flush()
        detail = {"manifest": spelled} if created else {"before": existing, "after": spelled}
        verb = "created" if created else "updated"
        _audit(outbox, actor, f"role-binding.{verb}", row, detail)
    return PutBinding(row, created, changed, existing)


def _delete(runtime: Runtime, actor: Actor, find: Callable[[Session], RoleBinding]) -> None:
    def use_case(session: Session, outbox: Outbox) -> None:
        tenant = lock_people(session, actor)
        row = find(session)
        actor.demand_everywhere("role-binding:delete")
        with an_admin_stays(session, tenant):
            take(session, actor, held_by(session, tenant, GrantRow.binding_id == row.id))
            session.delete(row)
        _audit(outbox, actor, "role-binding.deleted", row, {"manifest": row.manifest})

    runtime.change(use_case)


def _of_people(row: RoleBinding) -> RoleBinding:
    """The binding; NotFound for one of a secret group, which shows it as its own."""
    if belongs_to_group(row):
        raise NotFound(_WHAT, row.id)
    return row


def _named(session: Session, actor: Actor, name: str) -> RoleBinding | None:
    return session.scalar(
        mine(RoleBinding, actor.tenant_id)
        .where(RoleBinding.name == name, of_people)
        .with_for_update(key_share=True)
    )


def _subjects(session: Session, tenant: Tenant, given: Iterable[BoundSubject]) -> list[Subject]:
    """Whom the manifest names, each of them once."""
    named = [(SubjectKind(one.type), _spelled(one)) for one in given]
    known = {kind: _ids(session, tenant, kind, named) for kind in {kind for kind, _ in named}}
    found: dict[Subject, None] = {}
    for number, (kind, name) in enumerate(named):
        subject_id = known[kind].get(name)
        if subject_id is None:
            raise InvalidInput(f"subjects.{number}.name", f"there is no {kind.value} of this name")
        found[Subject(kind, subject_id)] = None
    return list(found)


def _spelled(subject: BoundSubject) -> str:
    return subject.name.lower() if subject.type == "user" else subject.name


def _ids(
    session: Session, tenant: Tenant, kind: SubjectKind, named: Iterable[tuple[SubjectKind, str]]
) -> dict[str, UUID]:
    names = {name for of_kind, name in named if of_kind is kind}
    if kind is SubjectKind.USER:
        rows = select(User.email, User.id).where(User.tenant_id == tenant.id, User.email.in_(names))
    elif kind is SubjectKind.TEAM:
        rows = select(Team.name, Team.id).where(Team.tenant_id == tenant.id, Team.name.in_(names))
    else:
        rows = select(VirtualAccount.name, VirtualAccount.id).where(
            VirtualAccount.tenant_id == tenant.id,
            VirtualAccount.name.in_(names),
            VirtualAccount.state != AccountState.DELETED,
        )
    return dict(session.execute(rows).all())


def _audit(
    outbox: Outbox, actor: Actor, action: str, row: RoleBinding, detail: dict[str, Any]
) -> None:
    outbox.audit(
        actor,
        action,
        subject_type="role-binding",
        subject_id=row.id,
        subject_name=row.name,
        detail=detail,
    )
