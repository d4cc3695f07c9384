"""Who may own virtual accounts, and what moving people and accounts between teams gives."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.actors import Actor
from core.errors import Forbidden, KeyturnError
from models import CustomRole
from services.accounts.account_views import find_account, list_accounts
from tests.support.privilege import (
    ANN,
    BOB,
    EVE,
    Stage,
    staged,
)
from tests.support.world import World, new_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One database for all examples: each has a tenant of its own."""
    with new_world(f"sqlite:///{tmp_path / 'keyturn.db'}", tmp_path / "files") as made:
        yield made


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


def test_nobody_puts_themselves_into_a_team_with_which_more_is_shared(world: World):
    world.integration(
        "custom", "files", "secret-store/custom/file", authorized_subjects=["team:payments"]
    )
    stage = Stage(world, world.tenant_id, "acme")
    for email in (ANN, EVE):
        stage.person(email)
    stage.team(stage.admin, "payments", [ANN], [])
    stage.role(stage.admin, "team-keeper", "account", ["team:manage"])
    stage.bind(stage.admin, f"user:{EVE}", "team-keeper", "tenant")

    with pytest.raises(Forbidden, match="provider-integration:use"):
        stage.team(stage.actor(EVE), "payments", [ANN], [EVE])
    stage.team(stage.actor(ANN), "payments", [ANN], [EVE])


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
