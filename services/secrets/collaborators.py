"""Collaborators of a secret group: the roles that its manifest gives on it.

They are grants of a binding that belongs to the group; its name is one that nobody can give.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import InvalidInput
from core.ids import new_id
from core.secret_manifests import Collaborator
from models import (
    AccountState,
    RoleBinding,
    SecretGroup,
    SubjectKind,
    Team,
    Tenant,
    User,
    VirtualAccount,
)
from services.access.granting import Subject, Wish, settle_grants
from services.outbox import Outbox
from services.scope import mine
from services.secrets.secret_views import fqn_of

_PREFIX = "secret-group:"
of_people = RoleBinding.name.not_like(f"{_PREFIX}%")  # other bindings have no colon in theirs


def belongs_to_group(binding: RoleBinding) -> bool:
    """Whether it is a secret group's own, which changes and goes with the group only."""
    return binding.name.startswith(_PREFIX)


def settle_collaborators(
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    group: SecretGroup,
    collaborators: Sequence[Collaborator],
) -> bool:
    """These hold exactly these roles on the group; Forbidden unless they are the actor's to give.

    Answers whether anything changed.
    """
    binding = _binding(session, group)
    if binding is None:
        if not collaborators:
            return False
        binding = RoleBinding(
            tenant_id=tenant.id,
            id=new_id(),
            name=f"{_PREFIX}{group.name}",
            manifest={},
            created_by=actor.as_subject(),
            created_at=outbox.now,
            updated_at=outbox.now,
        )
        session.add(binding)
        session.flush()
    wishes = [
        Wish(
            "secret-group",
            fqn_of(tenant, group),
            one.role_id,
            f"collaborators.{number}",
            subject=_subject(session, tenant, one.subject, f"collaborators.{number}.subject"),
        )
        for number, one in enumerate(collaborators)
    ]
    return settle_grants(session, actor, tenant, [], wishes, binding_id=binding.id)


def forget_collaborators(session: Session, group: SecretGroup) -> None:
    """The group is going, and what its manifest gave with it."""
    binding = _binding(session, group)
    if binding is not None:
        session.delete(binding)
        session.flush()


def _binding(session: Session, group: SecretGroup) -> RoleBinding | None:
    return session.scalar(
        mine(RoleBinding, group.tenant_id).where(RoleBinding.name == f"{_PREFIX}{group.name}")
    )


def _subject(session: Session, tenant: Tenant, text: str, field: str) -> Subject:
    kind = SubjectKind(text.partition(":")[0])
    name = text.partition(":")[2]
    if kind is SubjectKind.USER:
        found = select(User.id).where(User.tenant_id == tenant.id, User.email == name.lower())
    elif kind is SubjectKind.TEAM:
        found = select(Team.id).where(Team.tenant_id == tenant.id, Team.name == name)
    else:
        found = select(VirtualAccount.id).where(
            VirtualAccount.tenant_id == tenant.id,
            VirtualAccount.name == name,
            VirtualAccount.state != AccountState.DELETED,
        )
    subject_id = session.scalar(found)
    if subject_id is None:
        raise InvalidInput(field, f"there is no {kind.value} of this name here")
    return Subject(kind, subject_id)
