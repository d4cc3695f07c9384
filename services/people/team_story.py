"""Teams as people look at them: a page of them with figures, and all that one team is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.roles import VERBS
from models import AccountState, Team, TeamMember, Tenant, User, VirtualAccount
from services.access.holdings import Holding, granted_to
from services.accounts.account_views import visible
from services.people.team_views import Member, members_of, readable, resource_of, visible_teams
from services.runtime import Runtime
from services.scope import mine

ACCOUNTS = 20
_COUNTED = 1_000


@dataclass(frozen=True)
class TeamLine:
    """A team with how many people are in it."""

    team: Team
    members: int
    managers: int


@dataclass(frozen=True)
class Owned:
    """A virtual account of a team."""

    id: UUID
    name: str


@dataclass(frozen=True)
class TeamStory:
    """Everything that the team's page tells; `people` are a page of its `members`.

    `accounts` are a few of the `owned` ones that the reader may read; `has_more`: there are even
    more than that. `allowed` are the verbs that the reader may do to the team.
    """

    team: Team
    people: Sequence[Member]
    members: int
    accounts: Sequence[Owned]
    owned: int
    has_more: bool
    held: Sequence[Holding]
    allowed: frozenset[str]


def list_team_lines(
    runtime: Runtime, actor: Actor, *, limit: int, offset: int, search: str = ""
) -> tuple[list[TeamLine], int]:
    """A page of the teams that the actor may read, by name, and how many there are."""
    with runtime.database.reading() as session:
        matching = mine(Team, actor.tenant_id).where(visible_teams(actor))
        if search:
            matching = matching.where(Team.name.contains(search.lower(), autoescape=True))
        total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        page = session.scalars(matching.order_by(Team.name).limit(limit).offset(offset)).all()
        counted = _counted(session, actor.tenant_id, [team.id for team in page])
        return [TeamLine(team, *counted.get(team.id, (0, 0))) for team in page], total


def team_story(
    runtime: Runtime, actor: Actor, team_id: str, *, limit: int, offset: int
) -> TeamStory:
    """One team, for whoever may read it; a fixed number of queries."""
    with runtime.database.reading() as session:
        team = readable(session, actor, team_id)
        people = members_of([team.id], team.tenant_id)
        page = people.order_by(TeamMember.is_manager.desc(), User.email).limit(limit).offset(offset)
        owned = _owned(session, actor, team)
        tenant = session.get_one(Tenant, team.tenant_id)
        members, _ = _counted(session, tenant.id, [team.id]).get(team.id, (0, 0))
        return TeamStory(
            team=team,
            people=[Member(*row) for _, *row in session.execute(page)],
            members=members,
            accounts=sorted(owned[:ACCOUNTS], key=lambda one: one.name),
            owned=min(len(owned), _COUNTED),
            has_more=len(owned) > _COUNTED,
            held=granted_to(session, tenant, {team.id: team.name}),
            allowed=_allowed(actor, team),
        )


def _allowed(actor: Actor, team: Team) -> frozenset[str]:
    return frozenset(verb for verb in VERBS if actor.may(f"team:{verb}", resource_of(team)))


def _owned(session: Session, actor: Actor, team: Team) -> list[Owned]:
    """Those that the actor may read, and no more than are counted."""
    rows = session.execute(
        select(VirtualAccount.id, VirtualAccount.name)
        .where(
            VirtualAccount.tenant_id == team.tenant_id,
            VirtualAccount.team_id == team.id,
            VirtualAccount.state != AccountState.DELETED,
            visible(actor),
        )
        .limit(_COUNTED + 1)
    )
    return [Owned(*row) for row in rows]


def _counted(
    session: Session, tenant_id: UUID, team_ids: Sequence[UUID]
) -> dict[UUID, tuple[int, int]]:
    """How many members and managers each of these teams has, in one query."""
    managers = func.sum(case((TeamMember.is_manager, 1), else_=0))
    rows = session.execute(
        select(TeamMember.team_id, func.count(), managers)
        .where(TeamMember.tenant_id == tenant_id, TeamMember.team_id.in_(team_ids))
        .group_by(TeamMember.team_id)
    )
    return {team_id: (members, int(managing)) for team_id, members, managing in rows}
