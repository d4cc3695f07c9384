"""What people and teams hold: roles on resources, their own and by bindings."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.roles import TEAM_MANAGER, TEAM_MEMBER, TENANT_MEMBER
from models import GrantRow, RoleBinding, SubjectKind, Team, TeamMember, Tenant, User
from services.access.permits import Held, held_by
from services.people.team_views import readable
from services.people.users import resource_of
from services.runtime import Runtime
from services.scope import find


@dataclass(frozen=True)
class Holding:
    """A role on a resource, and who has it: the person, or a team of theirs.

    `team` and `binding` name what it comes through; both are empty for what is one's own.
    """

    subject_kind: SubjectKind
    subject_id: UUID
    resource_type: str
    resource_fqn: str
    role_id: str
    role_name: str
    team: str = ""
    binding: str = ""

    @classmethod
    def of(cls, held: Held, teams: Mapping[UUID, str], bindings: Mapping[UUID, str]) -> "Holding":
        row = held.row
        return cls(
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            resource_type=row.resource_type,
            resource_fqn=row.resource_fqn,
            role_id=str(row.custom_role_id or row.role),
            role_name=row.role,
            team=teams.get(row.subject_id, ""),
            binding=bindings.get(row.binding_id, "") if row.binding_id else "",
        )


@dataclass(frozen=True)
class Membership:
    """A team that the person is in, and the role that they have there."""

    team_id: UUID
    team: str
    role: str


def list_memberships(runtime: Runtime, actor: Actor, user_id: str) -> list[Membership]:
    """The person's teams, by name."""
    with runtime.database.reading() as session:
        return _memberships(session, _readable(session, actor, user_id))


def list_of_team(runtime: Runtime, actor: Actor, team_id: str) -> list[Holding]:
    """What is granted to the team. Needs `team:read` on it."""
    with runtime.database.reading() as session:
        team = readable(session, actor, team_id)
        return granted_to(session, session.get_one(Tenant, team.tenant_id), {team.id: team.name})


def list_of_user(runtime: Runtime, actor: Actor, user_id: str) -> list[Holding]:
    """All that the person holds: what everybody does, what their teams give, what is granted."""
    with runtime.database.reading() as session:
        user = _readable(session, actor, user_id)
        tenant = session.get_one(Tenant, user.tenant_id)
        own, teams = (SubjectKind.USER, user.id), _memberships(session, user)
        return [
            Holding(*own, "tenant", tenant.name, TENANT_MEMBER, TENANT_MEMBER),
            *(
                Holding(*own, "team", f"team:{one.team}", one.role, one.role, team=one.team)
                for one in teams
            ),
            *granted_to(session, tenant, {user.id: "", **{one.team_id: one.team for one in teams}}),
        ]


def _readable(session: Session, actor: Actor, user_id: str) -> User:
    """The person; everybody may read themselves."""
    user = find(session, User, actor.tenant_id, user_id, "user")
    if user.id != actor.id:
        actor.demand("user:read", resource_of(user))
    return user


def _memberships(session: Session, user: User) -> list[Membership]:
    found = session.execute(
        select(Team.id, Team.name, TeamMember.is_manager)
        .join(Team, (Team.id == TeamMember.team_id) & (Team.tenant_id == TeamMember.tenant_id))
        .where(TeamMember.tenant_id == user.tenant_id, TeamMember.user_id == user.id)
        .order_by(Team.name)
    )
    return [
        Membership(team_id, name, TEAM_MANAGER if manages else TEAM_MEMBER)
        for team_id, name, manages in found
    ]


def granted_to(session: Session, tenant: Tenant, subjects: Mapping[UUID, str]) -> list[Holding]:
    """What is granted to these, who are teams by their name, or a person without one."""
    found = held_by(session, tenant, GrantRow.subject_id.in_(list(subjects)))
    ids = {held.row.binding_id for held in found if held.row.binding_id}
    bindings: dict[UUID, str] = {}
    if ids:
        named = select(RoleBinding.id, RoleBinding.name).where(
            RoleBinding.tenant_id == tenant.id, RoleBinding.id.in_(ids)
        )
        bindings = {row[0]: row[1] for row in session.execute(named)}
    return [Holding.of(held, subjects, bindings) for held in found]
