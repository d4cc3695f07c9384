"""Looking at teams: one, or a page of them, with the people in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.roles import Resource
from models import Team, TeamMember, Tenant, User
from services.runtime import Runtime
from services.scope import find, mine


@dataclass(frozen=True)
class Member:
    """A person in a team."""

    user_id: UUID
    email: str
    is_manager: bool


@dataclass(frozen=True)
class TeamView:
    """A team as it is read: with everybody who is in it, by e-mail."""

    team: Team
    tenant: Tenant
    members: Sequence[Member]

    @property
    def managers(self) -> list[Member]:
        """Those of the members who decide who is in it."""
        return [member for member in self.members if member.is_manager]


def resource_of(team: Team) -> Resource:
    """The team as something that actions are done to."""
    return Resource("team", team.fqn)


def list_teams(
    runtime: Runtime, actor: Actor, *, limit: int, offset: int, managed: bool = False
) -> tuple[list[TeamView], int]:
    """A page of the actor's teams by name, and how many there are; all for who manages all.

    `managed`: only those that the actor manages.
    """
    with runtime.database.reading() as session:
        matching = mine(Team, actor.tenant_id).where(visible_teams(actor, managed=managed))
        total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        page = session.scalars(matching.order_by(Team.name).limit(limit).offset(offset)).all()
        return views_of(session, page, session.get_one(Tenant, actor.tenant_id)), total


def get_team(runtime: Runtime, actor: Actor, team_id: str) -> TeamView:
    """One team."""
    with runtime.database.reading() as session:
        team = readable(session, actor, team_id)
        return views_of(session, [team], session.get_one(Tenant, actor.tenant_id))[0]


def list_members(
    runtime: Runtime,
    actor: Actor,
    team_id: str,
    *,
    limit: int,
    offset: int,
    managers: bool = False,
) -> tuple[list[Member], int]:
    """A page of a team's members by e-mail, or of its managers, and how many there are."""
    with runtime.database.reading() as session:
        team = readable(session, actor, team_id)
        matching = members_of([team.id], actor.tenant_id)
        if managers:
            matching = matching.where(TeamMember.is_manager)
        total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        page = session.execute(matching.order_by(User.email).limit(limit).offset(offset))
        return [Member(user_id, email, manages) for _, user_id, email, manages in page], total


def readable(session: Session, actor: Actor, team_id: str) -> Team:
    """The team, if the actor may read it."""
    team = find(session, Team, actor.tenant_id, team_id, "team")
    actor.demand("team:read", resource_of(team))
    return team


def views_of(session: Session, teams: Sequence[Team], tenant: Tenant) -> list[TeamView]:
    """These teams with their people, in one query however many they are."""
    people: dict[UUID, list[Member]] = {team.id: [] for team in teams}
    found = session.execute(members_of(list(people), tenant.id).order_by(User.email))
    for team_id, user_id, email, manages in found:
        people[team_id].append(Member(user_id, email, manages))
    return [TeamView(team, tenant, people[team.id]) for team in teams]


def members_of(team_ids: list[UUID], tenant_id: UUID) -> Any:
    """Who is in these teams: the team, the person's id and e-mail, whether they manage it."""
    return (
        select(TeamMember.team_id, User.id, User.email, TeamMember.is_manager)
        .join(User, (User.id == TeamMember.user_id) & (User.tenant_id == TeamMember.tenant_id))
        .where(TeamMember.tenant_id == tenant_id, TeamMember.team_id.in_(team_ids))
    )


def visible_teams(actor: Actor, *, managed: bool = False) -> Any:
    """Whose teams these are, as a condition. That one may read all makes none one's own."""
    if actor.permits.allow_everywhere("team:manage"):
        return True
    _, names = actor.permits.scope("team:manage" if managed else "team:read")
    return Team.name.in_(names)
