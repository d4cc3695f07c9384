"""Privilege cannot be raised: whatever somebody calls, they end with no more than they had.

And who may own virtual accounts: a tenant admin gives them to any team; a team's managers
have their own where a custom role allows it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from core.errors import KeyturnError
from services.access import bindings
from services.accounts import account_life
from services.accounts.account_views import find_account
from services.people import teams, user_life
from tests.support.privilege import (
    ACTIONS,
    ANN,
    BOB,
    EVE,
    Stage,
    reach,
    staged,
    things,
    with_managing,
)
from tests.support.world import World, new_world


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
