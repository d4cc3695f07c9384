"""People with tokens, written straight into a world: for tests of what comes after."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.ids import new_id
from core.tokens import Token, TokenKind, mint
from models import PersonalAccessToken, Tenant, User
from services.people.sessions import open_session
from tests.support.world import World


@dataclass(frozen=True)
class Person:
    """An active user with a personal access token."""

    id: UUID
    email: str
    token: str
    token_id: UUID

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def person(
    world: World,
    email: str = "ann@example.com",
    *,
    token_name: str = "laptop",
    expires_at: datetime | None = None,
    tenant_id: UUID | None = None,
) -> Person:
    """Somebody of the world's tenant; the one who is there already, with another token."""
    now = world.clock.now()
    tenant = tenant_id or world.tenant_id
    token = mint(TokenKind.PERSONAL)
    with world.runtime.database.writing() as session:
        found = select(User).where(User.tenant_id == tenant, User.email == email)
        user = session.scalar(found)
        if user is None:
            user = User(tenant_id=tenant, id=new_id(), email=email, created_at=now, updated_at=now)
            session.add(user)
            session.flush()
        row = PersonalAccessToken(
            tenant_id=tenant,
            id=new_id(),
            user_id=user.id,
            name=token_name,
            hash=token.hash,
            last_four=token.last_four,
            created_by={},
            created_at=now,
            expires_at=expires_at,
        )
        session.add(row)
        session.flush()
        return Person(user.id, email, token.reveal(), row.id)


def logged_in(world: World, who: Person) -> Token:
    """A session of theirs, made without a token."""
    with world.runtime.database.writing() as session:
        user = session.scalars(select(User).where(User.id == who.id)).one()
        tenant = session.get_one(Tenant, user.tenant_id)
        return open_session(session, user, world.clock.now(), tenant.session_length)
