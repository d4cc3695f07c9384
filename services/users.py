"""People, as far as they are read."""

from sqlalchemy import func, select

from core.actors import Actor
from models import Tenant, User
from services.runtime import Runtime
from services.scope import mine


def list_users(
    runtime: Runtime,
    actor: Actor,
    *,
    limit: int,
    offset: int,
    search: str = "",
    inactive: bool = False,
) -> tuple[list[User], int, str]:
    """A page of the tenant's users by e-mail, how many there are, and the tenant's name."""
    with runtime.database.reading() as session:
        matching = mine(User, actor.tenant_id)
        if search:
            matching = matching.where(User.email.contains(search, autoescape=True))
        if not inactive:
            matching = matching.where(User.active)
        total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        page = session.scalars(matching.order_by(User.email).limit(limit).offset(offset)).all()
        return list(page), total, session.get_one(Tenant, actor.tenant_id).name
