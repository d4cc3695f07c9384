"""Teams, roles and bindings that several change at once. PostgreSQL only."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.errors import KeyturnError
from models import CustomRole, GrantRow, Team, TeamMember, VirtualAccount
from services.access import bindings, roles
from services.accounts import accounts
from services.people import teams
from tests.support.persons import person
from tests.support.world import World, new_world

ROUNDS = 6
KEEPER = {
    "name": "keeper",
    "display_name": "Keeper",
    "description": "",
    "resource_type": "account",
    "permissions": ["virtual-account:read"],
}
HELD = {"resource_type": "account", "resource_fqn": "acme"}


@pytest.fixture
def world(postgres_url: str, tmp_path: Path) -> Iterator[World]:
    with new_world(postgres_url, tmp_path / "files") as made:
        yield made


def together(*acts: Callable[[], Any]) -> list[str]:
    """Runs these at the same moment; answers how each ended: anything unexpected is raised."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> str:
        gate.wait(10)
        try:
            act()
        except KeyturnError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_a_role_that_is_granted_while_it_is_deleted_is_there_or_not_held(world: World):
    for number in range(ROUNDS):
        made = roles.put_role(world.runtime, world.admin, KEEPER)
        given = {
            "type": "virtual-account",
            "name": f"bot-{number}",
            "permissions": [{**HELD, "role_id": "keeper"}],
        }

        deleted, granted = together(
            lambda made=made: roles.delete_role(world.runtime, world.admin, str(made.row.id)),
            lambda given=given: accounts.put_account(world.runtime, world.admin, given),
        )

        assert (deleted, granted) in {("done", "invalid_input"), ("conflict", "done")}
        held = world.rows(GrantRow, GrantRow.custom_role_id == made.row.id)
        assert len(held) == (granted == "done")
        if granted == "done":
            del given["permissions"]
            world.runtime.database.write(
                lambda session, held=held: [session.delete(session.merge(row)) for row in held]
            )
            roles.delete_role(world.runtime, world.admin, str(made.row.id))
    assert world.rows(CustomRole) == []


def test_a_team_that_gets_an_account_while_it_is_deleted_is_there_or_owns_none(world: World):
    for number in range(ROUNDS):
        team = teams.put_team(world.runtime, world.admin, {"name": "ops", "members": []}).row
        given = {"type": "virtual-account", "name": f"bot-{number}", "ownedBy": {"team": "ops"}}

        deleted, owned = together(
            lambda team=team: teams.delete_team(world.runtime, world.admin, str(team.id)),
            lambda given=given: accounts.put_account(world.runtime, world.admin, given),
        )

        assert (deleted, owned) in {("done", "invalid_input"), ("conflict", "done")}
        left = world.rows(Team, Team.id == team.id)
        accounts_left = world.rows(VirtualAccount, VirtualAccount.team_id == team.id)
        assert len(left) == len(accounts_left) == (owned == "done")
        if owned == "done":
            del given["ownedBy"]
            accounts.put_account(world.runtime, world.admin, given)
            teams.delete_team(world.runtime, world.admin, str(team.id))


def test_what_many_make_at_once_is_made_once(world: World):
    person(world, "ann@example.com")
    team = {"name": "ops", "members": ["ann@example.com"]}
    binding = {
        "name": "ops-view",
        "subjects": [{"type": "user", "name": "ann@example.com"}],
        "permissions": [{**HELD, "role": "account-viewer"}],
    }
    for put, given in (
        (teams.put_team, team),
        (roles.put_role, KEEPER),
        (bindings.put_binding, binding),
    ):
        ended = together(*[lambda put=put, given=given: put(world.runtime, world.admin, given)] * 5)

        assert set(ended) <= {"done", "conflict"}
        assert "done" in ended
    assert len(world.rows(Team)) == len(world.rows(CustomRole)) == 1
    assert len(world.rows(GrantRow, GrantRow.binding_id.is_not(None))) == 1
    with world.runtime.database.reading() as session:
        assert session.query(TeamMember).count() == 1
