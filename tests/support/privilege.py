"""A tenant with people, teams and roles, in which privilege might be raised."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import select

from core.actors import Actor, ActorKind
from core.ids import new_id
from core.roles import BUILT_IN, TEAM_MANAGER, Grant, Permits, Resource
from models import AccountState, Team, Tenant, User, VirtualAccount
from services.access import bindings, roles
from services.access.permits import permits_of_account, permits_of_user
from services.accounts import accounts
from services.accounts.account_views import resource_of
from services.accounts.accounts import Put
from services.operation.bootstrap import ensure_tenant
from services.people import teams
from tests.support.world import LIMITS, World

EVE, ANN, BOB = "eve@example.com", "ann@example.com", "bob@example.com"
ACTIONS = [
    "role-binding:create",
    "role-binding:update",
    "role:create",
    "role:update",
    "settings:update",
    "team:create",
    "team:delete",
    "team:manage",
    "team:read",
    "team:update",
    "user:manage",
    "user:update",
    "virtual-account:create",
    "virtual-account:delete",
    "virtual-account:manage",
    "virtual-account:read",
    "virtual-account:read-token",
    "virtual-account:update",
]
SECRETIVE = ("virtual-account:read-token", "virtual-account:manage")
_numbers = count(1)

Power = set[tuple[str, str]]


@dataclass
class Stage:
    """A tenant of its own, with people, teams and one account, and Eve in it."""

    world: World
    tenant_id: UUID
    name: str

    @property
    def admin(self) -> Actor:
        return Actor.operator(self.tenant_id, "admin")

    def person(self, email: str) -> None:
        now = self.world.clock.now()
        with self.world.runtime.database.writing() as session:
            session.add(
                User(
                    tenant_id=self.tenant_id,
                    id=new_id(),
                    email=email,
                    created_at=now,
                    updated_at=now,
                )
            )

    def actor(self, email: str) -> Actor:
        """The person with what they may do at this moment."""
        with self.world.runtime.database.reading() as session:
            tenant = session.get_one(Tenant, self.tenant_id)
            user = session.scalars(
                select(User).where(User.tenant_id == tenant.id, User.email == email)
            ).one()
            permits = permits_of_user(session, tenant, user.id)
        return Actor(self.tenant_id, ActorKind.USER, email, user.id, permits)

    def team(self, actor: Actor, name: str, managers: list[str], members: list[str]) -> None:
        given = {"name": name, "managers": managers, "members": members}
        teams.put_team(self.world.runtime, actor, given)

    def role(self, actor: Actor, name: str, kind: str, actions: list[str]) -> None:
        given = {
            "name": name,
            "display_name": name,
            "description": "",
            "resource_type": kind,
            "permissions": actions,
        }
        roles.put_role(self.world.runtime, actor, given)

    def bind(self, actor: Actor, subject: str, role: str, fqn: str, name: str = "") -> None:
        kind, _, who = subject.partition(":")
        given = {
            "name": name or f"binding-{next(_numbers)}",
            "subjects": [{"type": kind, "name": who}],
            "permissions": [{**self.on(fqn), "role": role}],
        }
        bindings.put_binding(self.world.runtime, actor, given)

    def account(self, actor: Actor, name: str, **fields: Any) -> Put:
        given = {"type": "virtual-account", "name": name, **fields}
        return accounts.put_account(self.world.runtime, actor, given)

    def on(self, fqn: str) -> dict[str, str]:
        """A resource as manifests name it; `tenant` is the tenant."""
        if fqn == "tenant":
            return {"resource_type": "account", "resource_fqn": self.name}
        kind = "team" if fqn.startswith("team:") else "virtual-account"
        return {"resource_type": kind, "resource_fqn": fqn}


def staged(world: World) -> Stage:
    name = f"tenant-{next(_numbers)}"
    tenant_id = ensure_tenant(world.runtime, name, limits=LIMITS, admin_email="admin@example.com")
    stage = Stage(world, tenant_id, name)
    for email in (EVE, ANN, BOB):
        stage.person(email)
    return stage


def things(stage: Stage) -> list[tuple[str, Resource]]:
    """The tenant's teams and living accounts; one of the same name later is another one."""
    with stage.world.runtime.database.reading() as session:
        found = [
            (str(team.id), Resource("team", team.fqn))
            for team in session.scalars(select(Team).where(Team.tenant_id == stage.tenant_id))
        ]
        living = select(VirtualAccount).where(
            VirtualAccount.tenant_id == stage.tenant_id,
            VirtualAccount.state != AccountState.DELETED,
        )
        return found + [(str(one.id), resource_of(session, one)) for one in session.scalars(living)]


def power(stage: Stage, permits: Permits) -> Power:
    """All that these permits allow now, on the tenant and on each thing in it."""
    allowed = {(action, "tenant") for action in ACTIONS if permits.allow_everywhere(action)}
    for thing, resource in things(stage):
        allowed |= {(action, thing) for action in ACTIONS if permits.allow(action, resource)}
    return allowed | ({("everything", "tenant")} if permits.is_admin else set())


def reach(stage: Stage, email: str) -> Power:
    """The same for a person, with what they may do by tokens that they can read."""
    permits = stage.actor(email).permits
    allowed = power(stage, permits)
    with stage.world.runtime.database.reading() as session:
        tenant = session.get_one(Tenant, stage.tenant_id)
        for thing, resource in things(stage):
            is_account = resource.type == "virtual-account"
            if is_account and any(permits.allow(action, resource) for action in SECRETIVE):
                allowed |= power(stage, permits_of_account(session, tenant, UUID(thing)))
    return allowed


def with_managing(stage: Stage, allowed: Power) -> Power:
    """Who decides who is in a team can make themselves its manager, in the open."""
    more: Power = set()
    for thing, resource in things(stage):
        if resource.type == "team" and ("team:manage", thing) in allowed:
            grant = Grant(BUILT_IN[TEAM_MANAGER], "team", resource.fqn)
            more |= power(stage, Permits.of((grant,)))
    return allowed | more
