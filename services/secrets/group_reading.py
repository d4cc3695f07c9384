"""Looking at secret groups: one, or a page of those that the actor may read."""

from sqlalchemy import func, or_, select

from core.actors import Actor
from models import Secret, SecretGroup, Tenant
from services.runtime import Runtime
from services.scope import find, mine
from services.secrets.secret_views import GroupView, group_resource, view_groups, visible_groups


def list_secret_groups(
    runtime: Runtime,
    actor: Actor,
    *,
    limit: int,
    offset: int,
    search: str = "",
    fqn: str = "",
) -> tuple[list[GroupView], int]:
    """A page of the groups that the actor may read, by name, and how many there are.

    `search` looks into the names of groups and of their keys.
    """
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        matching = mine(SecretGroup, tenant.id).where(visible_groups(actor, tenant))
        if fqn:
            matching = matching.where(tenant.name + ":" + SecretGroup.name == fqn)
        if search:
            with_key = select(Secret.group_id).where(
                Secret.tenant_id == tenant.id, Secret.key.contains(search, autoescape=True)
            )
            matching = matching.where(
                or_(
                    SecretGroup.name.contains(search, autoescape=True),
                    SecretGroup.id.in_(with_key),
                )
            )
        total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        page = session.scalars(matching.order_by(SecretGroup.name).limit(limit).offset(offset))
        return view_groups(session, tenant, page.all()), total


def get_secret_group(runtime: Runtime, actor: Actor, group_id: str) -> GroupView:
    """One group with its keys. Needs `secret-group:read` on it."""
    with runtime.database.reading() as session:
        group = find(session, SecretGroup, actor.tenant_id, group_id, "secret group")
        tenant = session.get_one(Tenant, actor.tenant_id)
        actor.demand("secret-group:read", group_resource(tenant, group))
        return view_groups(session, tenant, [group])[0]
