"""The life of a person here: registered, given roles, deactivated, activated, deleted.

All of it takes turns on the tenant's row, so that two admins cannot each take away the other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound
from core.fields import Email
from core.ids import new_id
from core.parsing import parse
from core.roles import TENANT_ADMIN, TENANT_MEMBER, TENANT_TYPES
from models import (
    GrantRow,
    LoginSession,
    PersonalAccessToken,
    SubjectKind,
    TeamMember,
    Tenant,
    User,
)
from services.access.granting import (
    Subject,
    Wish,
    forget_resource,
    forget_subject,
    settle_grants,
)
from services.access.permits import grants_of
from services.accounts.entitlements import demand_unshared
from services.outbox import Outbox
from services.people.users import (
    UserView,
    audit_user,
    demand_as_strong,
    find_by_email,
    views_of,
)
from services.runtime import Runtime
from services.scope import find, mine
from services.verify.use_folding import forget


def lock_people(session: Session, actor: Actor, name: str | None = None) -> Tenant:
    """The tenant; whoever else changes its people waits until this transaction ends.

    `name` is which tenant a client means, if it says so; any but the actor's own is NotFound.
    """
    tenant = session.get_one(
        Tenant, actor.tenant_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if name not in {None, tenant.name}:
        raise NotFound("tenant", name)
    return tenant


def new_user(session: Session, outbox: Outbox, actor: Actor, email: str) -> User:
    """A person of the actor's tenant, active at once; InvalidInput unless it is an address."""
    address = parse(TypeAdapter(Email), email, below="email").lower()
    demand_unshared(session, actor, f"user:{address}")
    user = User(
        tenant_id=actor.tenant_id,
        id=new_id(),
        email=address,
        active=True,
        created_at=outbox.now,
        updated_at=outbox.now,
    )
    session.add(user)
    session.flush()
    return user


def change_roles(
    runtime: Runtime,
    actor: Actor,
    email: str,
    roles: Sequence[str],
    *,
    resource_type: str | None = None,
) -> UserView:
    """The person holds exactly these roles on the tenant, with the next request.

    Everybody is a tenant-member; what teams and bindings give is not touched.
    """
    actor.demand_everywhere("user:update")
    actor.demand_everywhere("user:manage")
    if resource_type not in {None, *TENANT_TYPES}:
        raise InvalidInput("resourceType", "a person's own roles are on the account; leave it out")
    if not roles:
        raise InvalidInput("roles", f"give at least one role; {TENANT_MEMBER} gives nothing more")

    def use_case(session: Session, outbox: Outbox) -> UserView:
        tenant = lock_people(session, actor)
        user = find_by_email(session, tenant.id, email)
        demand_as_strong(session, actor, tenant, user)
        before = views_of(session, tenant, [user])[0].roles
        with an_admin_stays(session, tenant):
            settle_grants(
                session,
                actor,
                tenant,
                [Subject(SubjectKind.USER, user.id)],
                [*_elsewhere(session, user), *_on_tenant(tenant, roles)],
            )
        view = views_of(session, tenant, [user])[0]
        if sorted(view.roles) != sorted(before):
            user.updated_at = outbox.now
            audit_user(
                outbox, actor, "user.roles-changed", user, {"before": before, "after": view.roles}
            )
        return view

    return runtime.change(use_case)


def set_active(
    runtime: Runtime, actor: Actor, email: str, *, active: bool, tenant: str | None = None
) -> UserView:
    """While not active, nothing of the person's works; activated, all that was not revoked does."""
    actor.demand_everywhere("user:update")

    def use_case(session: Session, outbox: Outbox) -> UserView:
        own = lock_people(session, actor, tenant)
        user = find_by_email(session, own.id, email)
        demand_as_strong(session, actor, own, user)
        if user.active != active:
            with an_admin_stays(session, own):
                user.active = active
            user.updated_at = outbox.now
            audit_user(outbox, actor, "user.activated" if active else "user.deactivated", user)
        return views_of(session, own, [user])[0]

    return runtime.change(use_case)


def delete_user(runtime: Runtime, actor: Actor, user_id: str, *, tenant: str | None = None) -> None:
    """The person goes, with their tokens, sessions, grants and memberships."""

    def use_case(session: Session, outbox: Outbox) -> None:
        own = lock_people(session, actor, tenant)
        user = find(session, User, own.id, user_id, "user")
        actor.demand_everywhere("user:delete")
        demand_as_strong(session, actor, own, user)
        roles = views_of(session, own, [user])[0].roles
        with an_admin_stays(session, own):
            forget_subject(session, own.id, user.id)
            forget_resource(session, own.id, "user", f"user:{user.email}")
            forget(session, _token_ids(session, user))
            session.delete(user)
        audit_user(outbox, actor, "user.deleted", user, {"roles": roles})

    runtime.change(use_case)


def _token_ids(session: Session, user: User) -> list[UUID]:
    return [
        token_id
        for model in (PersonalAccessToken, LoginSession)
        for token_id in session.scalars(select(model.id).where(model.user_id == user.id))
    ]


@contextmanager
def an_admin_stays(session: Session, tenant: Tenant) -> Iterator[None]:
    """Conflict if what is done within takes the last active person who is a tenant-admin."""
    had = _has_admin(session, tenant)
    yield
    session.flush()
    if had and not _has_admin(session, tenant):
        raise Conflict("This is the last active tenant-admin: make somebody else one first.")


def active_admins(tenant: Tenant) -> Select[User]:
    """Active people who are tenant-admins, of their own, by a binding or by a team."""
    holders = select(GrantRow.subject_id).where(
        GrantRow.tenant_id == tenant.id,
        GrantRow.role == TENANT_ADMIN,
        GrantRow.resource_type.in_(TENANT_TYPES),
        GrantRow.resource_fqn == tenant.name,
    )
    in_teams = select(TeamMember.user_id).where(
        TeamMember.tenant_id == tenant.id, TeamMember.team_id.in_(holders)
    )
    return mine(User, tenant.id).where(User.active, User.id.in_(holders) | User.id.in_(in_teams))


def _has_admin(session: Session, tenant: Tenant) -> bool:
    return session.scalar(active_admins(tenant).limit(1)) is not None


def _elsewhere(session: Session, user: User) -> Iterator[Wish]:
    """What the person holds of their own on other things than the tenant stays."""
    for grant in grants_of(session, user.tenant_id, [user.id]):
        if grant.binding_id is None and grant.resource_type not in TENANT_TYPES:
            yield Wish(grant.resource_type, grant.resource_fqn, grant.role, "roles")


def _on_tenant(tenant: Tenant, roles: Sequence[str]) -> Iterator[Wish]:
    for number, name in enumerate(roles):
        if name != TENANT_MEMBER:  # which everybody is
            yield Wish("tenant", tenant.name, name, "roles", role_field=str(number))
