"""What people and teams hold: roles on resources, their own and by bindings."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.roles import TEAM_MANAGER, TEAM_MEMBER, TENANT_MEMBER
from models import GrantRow, SubjectKind, Team, TeamMember, Tenant, User
from services.permits import Held, held_by
from services.runtime import Runtime
from services.scope import find
from services.team_views import readable
from services.users import resource_of


@dataclass(frozen=True)
class Holding:
    """A role on a resource, and who has it: the person, or a team of theirs."""

    subject_kind: SubjectKind
    subject_id: UUID
    resource_type: str
    resource_fqn: str
    role_id: str
    role_name: str

    @classmethod
    def of(cls, held: Held) -> "Holding":
        row = held.row
        return cls(
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            resource_type=row.resource_type,
            resource_fqn=row.resource_fqn,
            role_id=str(row.custom_role_id or row.role),
            role_name=row.role,
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
        return _granted(session, session.get_one(Tenant, team.tenant_id), [team.id])


def list_of_user(runtime: Runtime, actor: Actor, user_id: str) -> list[Holding]:
    """All that the person holds: what everybody does, what their teams give, what is granted."""
    with runtime.database.reading() as session:
        user = _readable(session, actor, user_id)
        tenant = session.get_one(Tenant, user.tenant_id)
        own, teams = (SubjectKind.USER, user.id), _memberships(session, user)
        return [
            Holding(*own, "tenant", tenant.name, TENANT_MEMBER, TENANT_MEMBER),
            *(Holding(*own, "team", f"team:{one.team}", one.role, one.role) for one in teams),
            *_granted(session, tenant, [user.id, *(one.team_id for one in teams)]),
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


def _granted(session: Session, tenant: Tenant, subjects: Sequence[UUID]) -> list[Holding]:
    return [
        Holding.of(held) for held in held_by(session, tenant, GrantRow.subject_id.in_(subjects))
    ]
