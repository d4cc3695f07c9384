import pytest

from models import VirtualAccount
from tests.support.command import Keyturn
from tests.support.world import HOURLY, World, stored


def generations(world: World) -> dict[str, int]:
    return {account.name: account.generation for account in world.rows(VirtualAccount)}


@pytest.fixture
def store(world: World) -> str:
    fqn, _ = world.store("slow", per_second=0.5)
    world.create("ci-bot", auto_rotate=HOURLY, secret_store_config=stored(fqn, "ci/bot"))
    world.create("web-bot", auto_rotate=HOURLY, secret_store_config=stored(fqn, "web/bot"))
    return fqn


def test_what_it_means_is_said_before_anything_is_asked(keyturn: Keyturn, world: World, store: str):
    world.create("nowhere-bot")

    ended = keyturn("accounts", "rotate", "--all", answers="n\n")

    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert ended.code == 1
    assert lines[0] == "3 accounts"
    assert f"{store} 2 2 0.5 a second 4s" in lines
    assert "1 of them are kept in no store" in " ".join(ended.err.split())
    assert "Turn the keys of 3 accounts? Their stores need at least 4s." in ended.err
    assert set(generations(world).values()) == {1}


@pytest.mark.usefixtures("store")
def test_all_keys_are_turned_after_a_yes(keyturn: Keyturn, world: World):
    ended = keyturn("accounts", "rotate", "--all", answers="y\n")

    assert ended.code == 0
    assert "2 keys turned; their stores need at least 4s." in ended.out
    assert generations(world) == {"ci-bot": 2, "web-bot": 2}


@pytest.mark.usefixtures("store")
def test_only_some_are_turned_and_the_answer_is_one_document(keyturn: Keyturn, world: World):
    made = keyturn.json("accounts", "rotate", "--all", "--search", "ci-", "--yes")

    assert (made["turned"], made["failed"], made["seconds"]) == (1, [], 2.0)
    assert [floor["copies"] for floor in made["floors"]] == [1]
    assert generations(world) == {"ci-bot": 2, "web-bot": 1}


@pytest.mark.usefixtures("store")
def test_what_was_turned_since_is_left_out(keyturn: Keyturn, world: World):
    first = keyturn.json("accounts", "rotate", "--all", "--search", "ci-", "--yes")

    again = keyturn.json(
        "accounts", "rotate", "--all", "--yes", "--before", first["before"].replace(" ", "T")
    )

    assert again["turned"] == 1
    assert generations(world) == {"ci-bot": 2, "web-bot": 2}


def test_nothing_to_turn_asks_nothing(keyturn: Keyturn):
    assert keyturn.said("accounts", "rotate", "--all", "--search", "nobody").endswith(
        "0 keys turned; their stores need no limit's time.\n"
    )


def test_an_account_that_cannot_be_turned_is_named_and_the_command_fails(
    keyturn: Keyturn, world: World
):
    world.create("ci-bot", auto_rotate=HOURLY)
    with world.runtime.database.writing() as session:
        account = session.query(VirtualAccount).one()
        account.rotation_interval, account.rotation_schedule = None, "never"

    ended = keyturn("accounts", "rotate", "--all", "--yes")

    assert ended.code == 1
    assert "ci-bot could not be turned" in ended.err
    assert generations(world) == {"ci-bot": 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--all", "ci-bot"], "--all: give the name of one account, or --all"),
        ([], "--all: give the name of one account, or --all"),
        (["--all", "--grace", "1h"], "--all: goes with neither --grace nor --show-token"),
        (["--all", "--show-token"], "--all: goes with neither --grace nor --show-token"),
        (["--all", "--before", "noon"], "--before: give a moment like 2026-03-02T09:00:00Z"),
        (["--all", "--before", "2026-03-02"], "--before: give a moment like 2026-03-02T09:00:00Z"),
    ],
)
def test_what_does_not_go_together_names_its_option(
    keyturn: Keyturn, world: World, words: list[str], said: str
):
    world.create("ci-bot")

    assert said in keyturn.refused("accounts", "rotate", *words, code=1)
    assert generations(world) == {"ci-bot": 1}
