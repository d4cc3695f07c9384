"""People: who there is. What is done to them is in `user_life`."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Forbidden, NotFound
from core.roles import TENANT_MEMBER, TENANT_TYPES, Resource
from models import Tenant, User
from services.access.permits import grants_of, permits_of_user
from services.outbox import Facts, Outbox
from services.runtime import Runtime
from services.scope import find, mine


@dataclass(frozen=True)
class UserView:
    """A person as they are read: with their own roles on the tenant."""

    user: User
    tenant: Tenant
    roles: list[str]


def resource_of(user: User) -> Resource:
    """The person as something that actions are done to."""
    return Resource("user", f"user:{user.email}")


def list_users(
    runtime: Runtime,
    actor: Actor,
    *,
    limit: int,
    offset: int,
    search: str = "",
    inactive: bool = False,
) -> tuple[list[UserView], int]:
    """A page of the tenant's users by e-mail, and how many there are."""
    actor.demand_everywhere("user:read")
    with runtime.database.reading() as session:
        matching = mine(User, actor.tenant_id)
        if search:
            matching = matching.where(User.email.contains(search.lower(), autoescape=True))
        if not inactive:
            matching = matching.where(User.active)
        total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        page = session.scalars(matching.order_by(User.email).limit(limit).offset(offset)).all()
        return views_of(session, session.get_one(Tenant, actor.tenant_id), page), total


def get_user(runtime: Runtime, actor: Actor, user_id: str) -> UserView:
    """One person; everybody may read themselves."""
    with runtime.database.reading() as session:
        user = find(session, User, actor.tenant_id, user_id, "user")
        if user.id != actor.id:
            actor.demand("user:read", resource_of(user))
        return views_of(session, session.get_one(Tenant, actor.tenant_id), [user])[0]


def views_of(session: Session, tenant: Tenant, users: Sequence[User]) -> list[UserView]:
    """These people with their roles, in two queries however many they are."""
    roles: dict[UUID, list[str]] = {user.id: [] for user in users}
    for grant in grants_of(session, tenant.id, list(roles)):
        if grant.resource_type in TENANT_TYPES and grant.binding_id is None:
            roles[grant.subject_id].append(grant.role)
    return [UserView(user, tenant, roles[user.id] or [TENANT_MEMBER]) for user in users]


def find_by_email(session: Session, tenant_id: UUID, email: str) -> User:
    """The person with this address, however it is capitalised; NotFound if there is none."""
    user = session.scalar(mine(User, tenant_id).where(User.email == email.lower()))
    if user is None:
        raise NotFound("user", email)
    return user


def demand_as_strong(session: Session, actor: Actor, tenant: Tenant, user: User) -> None:
    """Forbidden if the person may do something that the actor may not do.

    What everybody may, as a tenant-member, does not count.
    """
    for grant in permits_of_user(session, tenant, user.id).grants:
        resource = Resource(grant.resource_type, grant.resource_fqn)
        if grant.role.id != TENANT_MEMBER and not actor.permits.hold(grant.role, resource):
            raise Forbidden(
                f"{user.email} holds {grant.role.id} on {grant.resource_fqn}, and you do not."
            )


def audit_user(
    outbox: Outbox, actor: Actor, action: str, user: User, detail: Facts | None = None
) -> None:
    """Writes down who did this to the person."""
    outbox.audit(
        actor,
        action,
        subject_type="user",
        subject_id=user.id,
        subject_name=user.email,
        detail=detail,
    )
