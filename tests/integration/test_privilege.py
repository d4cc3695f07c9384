"""Privilege cannot be raised: whatever somebody calls, they end with no more than they had.

And who may own virtual accounts: a tenant admin gives them to any team; a team's managers
have their own where a custom role allows it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.actors import Actor, ActorKind
from core.errors import Forbidden, KeyturnError
from core.ids import new_id
from core.roles import BUILT_IN, TEAM_MANAGER, Grant, Permits, Resource
from models import AccountState, CustomRole, Team, Tenant, User, VirtualAccount
from services import account_life, accounts, bindings, roles, teams, user_life
from services.account_views import find_account, list_accounts, resource_of
from services.accounts import Put
from services.bootstrap import ensure_tenant
from services.permits import permits_of_account, permits_of_user
from tests.support.world import LIMITS, World, new_world

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


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One database for all examples: each has a tenant of its own."""
    with new_world(f"sqlite:///{tmp_path / 'keyturn.db'}", tmp_path / "files") as made:
        yield made


some_actions = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=6, unique=True)
# What lets most calls through, beside what makes each of them worth trying.
able = st.sampled_from(
    [
        [],
        ["role-binding:create", "role-binding:update"],
        ["role:create", "role:update"],
        ["team:create", "team:manage", "team:update", "team:delete"],
        ["virtual-account:create", "virtual-account:update", "team:manage"],
        ["role-binding:create", "role-binding:update", "role:update", "team:manage"],
        ["user:update", "user:manage", "role:update"],
    ]
)
wide_actions = st.builds(lambda some, more: sorted({*some, *more}), some_actions, able)
some_names = st.sampled_from(["ops", "dev", "new"])
some_people = st.lists(st.sampled_from([EVE, ANN, BOB]), max_size=3, unique=True)
some_fqns = st.sampled_from(
    ["tenant", "team:ops", "team:dev", "virtualaccount:robot", "virtualaccount:mine"]
)
some_roles = st.sampled_from(
    [
        "tenant-admin",
        "eve-wide",
        "eve-team",
        "ops-role",
        "made",
        "team-admin",
        "team-manager",
        "virtual-account-admin",
        "account-admin",
    ]
)
some_subjects = st.sampled_from(
    [f"user:{EVE}", "team:ops", "team:dev", "team:new", "virtualaccount:robot"]
)
moves = st.one_of(
    st.tuples(st.just("bind"), some_subjects, some_roles, some_fqns),
    st.tuples(st.just("rebind"), st.sampled_from(["eve-wide-b", "ops-b"]), some_roles, some_fqns),
    st.tuples(st.just("unbind"), st.sampled_from(["eve-wide-b", "ops-b"])),
    st.tuples(
        st.just("role"), st.sampled_from(["made", "eve-wide", "eve-team", "ops-role"]), some_actions
    ),
    st.tuples(st.just("team"), some_names, some_people, some_people),
    st.tuples(st.just("no team"), some_names),
    st.tuples(
        st.just("account"),
        st.sampled_from(["robot", "mine"]),
        st.none() | some_names,
        st.none() | st.tuples(some_roles, some_fqns),
    ),
    st.tuples(st.just("no account"), st.sampled_from(["robot", "mine"])),
    st.tuples(st.just("roles"), st.lists(some_roles, min_size=1, max_size=2, unique=True)),
)


def make(stage: Stage, move: tuple[Any, ...]) -> None:  # noqa: C901 - one case per call
    """Eve makes this call."""
    eve = stage.actor(EVE)
    runtime = stage.world.runtime
    match move:
        case ("bind", subject, role, fqn):
            stage.bind(eve, subject, role, fqn)
        case ("rebind", name, role, fqn):
            stage.bind(eve, f"user:{EVE}", role, fqn, name)
        case ("unbind", name):
            bindings.delete_binding_by_name(runtime, eve, name)
        case ("role", name, actions):
            kind = "team" if name == "eve-team" else "account"
            stage.role(eve, name, kind, actions)
        case ("team", name, managers, members):
            stage.team(eve, name, managers, members)
        case ("no team", name):
            teams.delete_team_by_name(runtime, eve, name)
        case ("account", name, owner, permission):
            fields: dict[str, Any] = {"ownedBy": {"team": owner}} if owner else {}
            if permission:
                role, fqn = permission
                fields["permissions"] = [{**stage.on(fqn), "role_id": role}]
            stage.account(eve, name, **fields)
        case ("no account", name):
            found = find_account(runtime, eve, name)
            account_life.delete_account(runtime, eve, found.account.id)
        case ("roles", names):
            user_life.change_roles(runtime, eve, EVE, names)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    wide=wide_actions,
    on_team=wide_actions,
    team=st.sampled_from(["team:ops", "team:dev"]),
    ops_may=some_actions,
    in_ops=st.sampled_from(["", "member", "manager"]),
    robot_may=st.sampled_from(["tenant-admin", "ops-role", "account-viewer"]),
    robot_of=st.sampled_from(["ops", "dev"]),
    tried=st.lists(moves, min_size=1, max_size=8),
)
def test_whatever_somebody_calls_they_can_do_no_more_than_before(
    world: World,
    wide: list[str],
    on_team: list[str],
    team: str,
    ops_may: list[str],
    in_ops: str,
    robot_may: str,
    robot_of: str,
    tried: list[tuple[Any, ...]],
):
    stage = staged(world)
    stage.role(stage.admin, "eve-wide", "account", wide)
    stage.role(stage.admin, "eve-team", "team", on_team)
    stage.role(stage.admin, "ops-role", "account", ops_may)
    managers = [ANN, *([EVE] if in_ops == "manager" else [])]
    stage.team(stage.admin, "ops", managers, [EVE] if in_ops == "member" else [])
    stage.team(stage.admin, "dev", [BOB], [])
    grant = {**stage.on("tenant"), "role_id": robot_may}
    stage.account(stage.admin, "robot", ownedBy={"team": robot_of}, permissions=[grant])
    stage.bind(stage.admin, f"user:{EVE}", "eve-wide", "tenant", "eve-wide-b")
    stage.bind(stage.admin, f"user:{EVE}", "eve-team", team, "eve-team-b")
    stage.bind(stage.admin, "team:ops", "ops-role", "tenant", "ops-b")
    known = {thing for thing, _ in things(stage)} | {"tenant"}
    most = with_managing(stage, reach(stage, EVE))

    for move in tried:
        try:
            make(stage, move)
        except KeyturnError:
            event(f"{move[0]}: refused")
        else:
            event(f"{move[0]}: done")
        now = {(action, thing) for action, thing in reach(stage, EVE) if thing in known}
        assert now <= most, move


@pytest.fixture
def stage(world: World) -> Stage:
    """Ann manages ops, Bob dev; a role for accounts that nobody holds yet."""
    stage = staged(world)
    stage.team(stage.admin, "ops", [ANN], [EVE])
    stage.team(stage.admin, "dev", [BOB], [])
    verbs = ("create", "update", "read", "read-token")
    actions = [f"virtual-account:{verb}" for verb in verbs]
    stage.role(stage.admin, "keeper", "team", actions)
    stage.role(stage.admin, "keeper-wide", "account", actions)
    return stage


OPS, DEV = {"team": "ops"}, {"team": "dev"}


def test_a_tenant_admin_gives_an_account_to_any_team(stage: Stage):
    stage.bind(stage.admin, f"user:{BOB}", "tenant-admin", "tenant")
    bob = stage.actor(BOB)

    made = stage.account(bob, "bot", ownedBy=OPS)
    moved = stage.account(bob, "bot", ownedBy=DEV)
    freed = stage.account(bob, "bot")

    assert made.created
    assert moved.view.account.team_id not in {None, made.view.account.team_id}
    assert freed.view.account.team_id is None


def test_a_teams_manager_has_no_accounts_for_it_without_a_custom_role(stage: Stage):
    stage.account(stage.admin, "bot", ownedBy=OPS)
    ann = stage.actor(ANN)

    for name in ("new-bot", "bot"):
        with pytest.raises(Forbidden):
            stage.account(ann, name, ownedBy=OPS, tags={"a": "b"})


@pytest.mark.parametrize(("role", "fqn"), [("keeper", "team:ops"), ("keeper-wide", "tenant")])
def test_with_a_custom_role_a_manager_has_accounts_for_their_own_team_only(
    stage: Stage, role: str, fqn: str
):
    stage.bind(stage.admin, f"user:{ANN}", role, fqn)
    ann = stage.actor(ANN)

    made = stage.account(ann, "bot", ownedBy=OPS)
    changed = stage.account(ann, "bot", ownedBy=OPS, tags={"for": "ci"})

    assert made.token is not None
    assert changed.changed
    with pytest.raises(Forbidden):
        stage.account(ann, "other-bot", ownedBy=DEV)
    with pytest.raises(Forbidden):
        stage.account(ann, "bot", ownedBy=DEV)


def test_a_role_on_a_team_is_for_its_accounts_and_no_others(stage: Stage):
    stage.bind(stage.admin, f"user:{ANN}", "keeper", "team:ops")
    stage.account(stage.admin, "ours", ownedBy=DEV)
    stage.account(stage.admin, "nobodys")
    ann = stage.actor(ANN)

    for name, fields in (
        ("new-bot", {}),
        ("ours", {"ownedBy": OPS}),
        ("nobodys", {"ownedBy": OPS}),
    ):
        with pytest.raises(Forbidden):
            stage.account(ann, name, **fields)


def test_a_role_on_a_team_is_not_enough_without_managing_it(stage: Stage):
    stage.bind(stage.admin, f"user:{EVE}", "keeper", "team:ops")

    with pytest.raises(Forbidden, match="team:manage"):
        stage.account(stage.actor(EVE), "bot", ownedBy=OPS)


@pytest.mark.parametrize("role", ["tenant-admin", "account-viewer"])
def test_an_account_gets_no_permission_that_its_maker_does_not_hold(stage: Stage, role: str):
    stage.bind(stage.admin, f"user:{ANN}", "keeper", "team:ops")
    ann = stage.actor(ANN)
    held = {**stage.on("team:ops"), "role_id": "keeper"}
    stage.account(ann, "bot", ownedBy=OPS, permissions=[held])

    grant = {**stage.on("tenant"), "role_id": role}
    for name in ("bot", "new-bot"):
        with pytest.raises(Forbidden, match="do not hold"):
            stage.account(ann, name, ownedBy=OPS, permissions=[held, grant])


def test_members_read_the_accounts_of_their_team_and_no_others(stage: Stage):
    stage.account(stage.admin, "ours", ownedBy=OPS)
    stage.account(stage.admin, "theirs", ownedBy=DEV)
    stage.account(stage.admin, "nobodys")
    runtime, eve = stage.world.runtime, stage.actor(EVE)

    listed, total = list_accounts(runtime, eve)

    assert ([one.account.name for one in listed], total) == (["ours"], 1)
    assert find_account(runtime, eve, "ours").account.name == "ours"
    for name in ("theirs", "nobodys"):
        with pytest.raises(Forbidden):
            find_account(runtime, eve, name)


def test_an_account_is_not_moved_to_where_its_mover_may_do_more_to_it(stage: Stage):
    """Else whoever may change it here, and read tokens there, would read its token."""
    admins = {**stage.on("tenant"), "role_id": "tenant-admin"}
    stage.account(stage.admin, "robot", ownedBy=DEV, permissions=[admins])
    stage.role(stage.admin, "changer", "team", ["virtual-account:update"])
    stage.team(stage.admin, "dev", [ANN, BOB], [])
    stage.bind(stage.admin, f"user:{ANN}", "changer", "team:dev")
    stage.bind(stage.admin, f"user:{ANN}", "keeper", "team:ops")

    with pytest.raises(Forbidden, match="virtual-account:"):
        stage.account(stage.actor(ANN), "robot", ownedBy=OPS)


def test_a_manager_moves_an_account_between_teams_where_they_may_do_the_same(stage: Stage):
    stage.team(stage.admin, "dev", [ANN, BOB], [])
    for team in ("ops", "dev"):
        stage.bind(stage.admin, f"user:{ANN}", "keeper", f"team:{team}")
    ann = stage.actor(ANN)
    stage.account(ann, "bot", ownedBy=OPS)

    assert stage.account(ann, "bot", ownedBy=DEV).changed


def test_nobody_puts_themselves_into_a_team_that_holds_more(stage: Stage):
    stage.role(stage.admin, "team-keeper", "account", ["team:manage", "team:update"])
    stage.bind(stage.admin, f"user:{BOB}", "team-keeper", "tenant")
    bob = stage.actor(BOB)
    stage.team(bob, "ops", [ANN], [EVE, BOB])
    stage.team(stage.admin, "ops", [ANN], [EVE])
    stage.bind(stage.admin, "team:ops", "tenant-admin", "tenant")

    for members in ([EVE, BOB], []):
        with pytest.raises(Forbidden, match="do not hold"):
            stage.team(bob, "ops", [ANN], members)
    stage.team(stage.actor(ANN), "ops", [ANN], [EVE, BOB])
    assert stage.actor(BOB).permits.is_admin


def _take_as_team(actor: Actor, stage: Stage) -> None:
    stage.team(actor, "payments", [EVE], [])


def _take_as_account(actor: Actor, stage: Stage) -> None:
    stage.account(actor, "payments")


@pytest.mark.parametrize(
    ("shared_with", "take"),
    [("team:payments", _take_as_team), ("virtualaccount:payments", _take_as_account)],
)
def test_nobody_takes_a_name_with_which_something_is_shared(
    world: World, shared_with: str, take: Callable[[Actor, Stage], None]
):
    world.integration(
        "custom", "files", "secret-store/custom/file", authorized_subjects=[shared_with]
    )
    stage = Stage(world, world.tenant_id, "acme")
    stage.person(EVE)
    stage.role(stage.admin, "maker", "account", ["team:create", "virtual-account:create"])
    stage.bind(stage.admin, f"user:{EVE}", "maker", "tenant")
    eve = stage.actor(EVE)

    with pytest.raises(Forbidden, match="provider-integration:use"):
        take(eve, stage)
    take(stage.admin, stage)


def test_a_role_on_a_team_does_not_let_its_holder_use_what_is_shared_with_the_team(stage: Stage):
    stage.bind(stage.admin, f"user:{BOB}", "team-admin", "team:ops")

    assert "team:ops" not in stage.actor(BOB).permits.subjects(f"user:{BOB}")
    assert "team:ops" in stage.actor(EVE).permits.subjects(f"user:{EVE}")


def test_what_a_role_is_for_does_not_change_under_those_who_hold_it(stage: Stage):
    stage.bind(stage.admin, f"user:{ANN}", "keeper", "team:ops")
    with pytest.raises(KeyturnError):
        stage.role(stage.admin, "keeper", "account", ["virtual-account:read"])
    (kept,) = stage.world.rows(
        CustomRole, CustomRole.tenant_id == stage.tenant_id, CustomRole.name == "keeper"
    )
    assert kept.resource_type == "team"
