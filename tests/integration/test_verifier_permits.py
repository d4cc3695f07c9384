"""A verifier remembers what a bearer may do, and hears when that changes."""

from collections.abc import Iterator

import pytest

from core.tokens import Token
from models import VirtualAccount
from services.access import roles
from services.people import teams
from tests.support.persons import person
from tests.support.verifiers import Asked, asking, queries
from tests.support.world import World

READ = "virtual-account:read"
ROLE = {
    "name": "reader",
    "display_name": "Reader",
    "description": "",
    "resource_type": "account",
    "permissions": [READ],
}


@pytest.fixture
def asked(world: World) -> Iterator[Asked]:
    with asking(world) as made:
        yield made


@pytest.fixture
def held(world: World) -> tuple[VirtualAccount, Token]:
    """An account that holds a role of the tenant's own on it."""
    roles.put_role(world.runtime, world.admin, ROLE)
    given = {"resource_type": "account", "resource_fqn": "acme", "role_id": "reader"}
    return world.create("reading-bot", permissions=[given])


def test_what_a_bearer_may_do_is_read_once(
    world: World, asked: Asked, held: tuple[VirtualAccount, Token]
):
    _, token = held
    question = (READ, "virtual-account", "virtualaccount:ci-bot")
    asked.allows(token, *question)

    with queries(world) as said:
        answers = [asked.allows(token, *question) for _ in range(3)]

    assert answers == [True] * 3
    assert said == []


def test_a_changed_role_is_seen(world: World, asked: Asked, held: tuple[VirtualAccount, Token]):
    _, token = held
    question = (READ, "virtual-account", "virtualaccount:ci-bot")
    before = asked.allows(token, *question)

    changed = {**ROLE, "permissions": ["virtual-account:use"]}
    roles.put_role(world.runtime, world.admin, changed)
    asked.hear()

    assert (before, asked.allows(token, *question)) == (True, False)


def test_what_is_taken_from_an_account_is_seen(
    world: World, asked: Asked, held: tuple[VirtualAccount, Token]
):
    _, token = held
    question = (READ, "virtual-account", "virtualaccount:ci-bot")
    asked.allows(token, *question)

    other = {"resource_type": "account", "resource_fqn": "acme", "role_id": "account-viewer"}
    world.put("reading-bot", permissions=[other])
    asked.hear()

    assert not asked.allows(token, *question)


def test_who_comes_into_a_team_may_do_to_its_accounts_what_the_team_may(world: World, asked: Asked):
    ann = person(world)
    teams.put_team(world.runtime, world.admin, {"name": "ops", "members": []})
    world.create(ownedBy={"team": "ops"})
    question = (READ, "virtual-account", "virtualaccount:ci-bot")
    before = asked.allows(ann.token, *question)

    teams.put_team(world.runtime, world.admin, {"name": "ops", "members": [ann.email]})
    asked.hear()
    within = asked.allows(ann.token, *question)
    world.put()
    asked.hear()

    assert (before, within) == (False, True)
    assert not asked.allows(ann.token, *question)
