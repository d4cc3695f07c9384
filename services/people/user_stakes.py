"""What stops working with a person: asked before they are deactivated or deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from core.actors import Actor
from models import GrantRow, LoginSession, PersonalAccessToken, Team, TeamMember, User
from services.runtime import Runtime
from services.scope import find


@dataclass(frozen=True)
class UserStakes:
    """What a person has at this moment.

    `tokens` and `sessions` are those that work. Of `left_without_manager` they are the only
    manager. `grants` are roles of their own and by bindings, not those of their teams.
    """

    user: User
    tokens: int
    sessions: int
    grants: int
    teams: int
    left_without_manager: Sequence[str]


def stakes_of(runtime: Runtime, actor: Actor, user_id: str) -> UserStakes:
    """The stakes of somebody, for whoever may deactivate or delete people; few queries."""
    if not actor.permits.allow_everywhere("user:delete"):
        actor.demand_everywhere("user:update")
    now = runtime.now()
    with runtime.database.reading() as session:
        user = find(session, User, actor.tenant_id, user_id, "user")

        def count(model: Any, *clauses: Any) -> int:
            own = select(func.count()).where(model.tenant_id == user.tenant_id, *clauses)
            return session.scalar(own) or 0

        return UserStakes(
            user=user,
            tokens=count(
                PersonalAccessToken,
                PersonalAccessToken.user_id == user.id,
                PersonalAccessToken.revoked_at.is_(None),
                or_(PersonalAccessToken.expires_at.is_(None), PersonalAccessToken.expires_at > now),
            ),
            sessions=count(
                LoginSession, LoginSession.user_id == user.id, LoginSession.expires_at > now
            ),
            grants=count(GrantRow, GrantRow.subject_id == user.id),
            teams=count(TeamMember, TeamMember.user_id == user.id),
            left_without_manager=_left(session, user),
        )


def _left(session: Session, user: User) -> Sequence[str]:
    """Names of the teams that nobody else manages."""
    other = aliased(TeamMember)
    others = (
        select(other.user_id)
        .where(
            other.tenant_id == TeamMember.tenant_id,
            other.team_id == TeamMember.team_id,
            other.user_id != user.id,
            other.is_manager,
        )
        .exists()
    )
    return session.scalars(
        select(Team.name)
        .join(
            TeamMember, (TeamMember.team_id == Team.id) & (TeamMember.tenant_id == Team.tenant_id)
        )
        .where(
            TeamMember.tenant_id == user.tenant_id,
            TeamMember.user_id == user.id,
            TeamMember.is_manager,
            ~others,
        )
        .order_by(Team.name)
    ).all()
