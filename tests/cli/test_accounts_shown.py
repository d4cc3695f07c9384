from datetime import datetime, timedelta

from models import AuditRow
from services.accounts.account_life import pause_account
from services.engine.tokens import revoke_all, rotate_account
from tests.support.command import Keyturn
from tests.support.manual_clock import ManualClock
from tests.support.world import HOURLY, World

COLUMNS = ["name", "state", "generation", "rotated", "next rotation", "live tokens"]


def test_accounts_are_listed_by_name(keyturn: Keyturn, world: World):
    world.create("web-bot", auto_rotate=HOURLY)
    world.create("ci-bot")

    lines = keyturn.said("accounts", "list").splitlines()

    assert lines[0].strip() == "2 of 2 virtual accounts"
    assert [column for column in COLUMNS if column in lines[1]] == COLUMNS
    assert [line.split()[:3] for line in lines[2:]] == [
        ["ci-bot", "active", "1"],
        ["web-bot", "active", "1"],
    ]


def test_the_list_as_json_has_every_fact_of_an_account(keyturn: Keyturn, world: World):
    account, token = world.create("web-bot", auto_rotate=HOURLY)

    (listed,) = keyturn.json("accounts", "list")

    assert listed == {
        "id": str(account.id),
        "name": "web-bot",
        "state": "active",
        "generation": 1,
        "rotated_at": f"{account.rotated_at:%Y-%m-%d %H:%M:%SZ}",
        "next_rotation_at": f"{account.rotated_at + timedelta(hours=1):%Y-%m-%d %H:%M:%SZ}",
        "expires_at": None,
        "manifest": {"type": "virtual-account", "name": "web-bot", "auto_rotate": HOURLY},
        "tokens": [
            {
                "generation": 1,
                "state": "current",
                "last_four": token.last_four,
                "valid_until": None,
            }
        ],
    }
    assert listed == keyturn.json("accounts", "show", "web-bot")


def test_a_list_is_narrowed_by_a_part_of_the_name_and_by_a_number(keyturn: Keyturn, world: World):
    for name in ("ci-bot", "web-bot", "web-ui"):
        world.create(name)

    found = keyturn.json("accounts", "list", "--search", "web-")
    first = keyturn.said("accounts", "list", "--limit", "1")

    assert [account["name"] for account in found] == ["web-bot", "web-ui"]
    assert first.splitlines()[0].strip() == "1 of 3 virtual accounts"
    assert keyturn.json("accounts", "list", "--search", "%") == []


def test_an_account_is_shown_with_the_tokens_that_work(keyturn: Keyturn, world: World):
    world.create("web-bot", auto_rotate=HOURLY)
    keyturn.said("accounts", "rotate", "web-bot")

    shown = keyturn.said("accounts", "show", "web-bot").splitlines()
    newer, older = keyturn.json("accounts", "show", "web-bot")["tokens"]

    assert [newer["generation"], newer["state"], newer["valid_until"]] == [2, "current", None]
    assert [older["generation"], older["state"]] == [1, "grace"]
    assert datetime.fromisoformat(older["valid_until"]) > world.runtime.now()
    assert shown[0].strip() == "web-bot"
    assert [line.split()[:2] for line in shown[-2:]] == [["2", "current"], ["1", "grace"]]


def test_a_token_whose_end_nobody_has_recorded_yet_is_not_shown(keyturn: Keyturn, world: World):
    world.runtime.clock = ManualClock(world.runtime.now() - timedelta(hours=2))
    account, _ = world.create("web-bot", auto_rotate=HOURLY)
    rotate_account(world.runtime, world.admin, account.id)

    shown = keyturn.json("accounts", "show", "web-bot")

    assert [token["generation"] for token in shown["tokens"]] == [2]


def test_a_paused_account_says_so_unless_it_is_suspended(keyturn: Keyturn, world: World):
    account, _ = world.create("web-bot", auto_rotate=HOURLY)
    pause_account(world.runtime, world.admin, account.id)
    paused = keyturn.json("accounts", "show", "web-bot")

    revoke_all(world.runtime, world.admin, account.id)

    assert paused["state"] == "paused"
    assert keyturn.json("accounts", "show", "web-bot")["state"] == "suspended"


def test_the_token_is_printed_alone_and_who_read_it_is_written_down(keyturn: Keyturn, world: World):
    _, token = world.create("web-bot")

    said = keyturn.said("accounts", "token", "web-bot")

    (read,) = world.rows(AuditRow, AuditRow.action == "token.read")
    assert said == f"{token.reveal()}\n"
    assert read.actor["name"].startswith("operator")
    assert read.subject_name == "web-bot"


def test_an_account_without_a_token_says_how_it_gets_one(keyturn: Keyturn, world: World):
    account, _ = world.create("web-bot")
    revoke_all(world.runtime, world.admin, account.id)

    assert "regenerate it" in keyturn.refused("accounts", "token", "web-bot", code=1)


def test_what_works_against_an_account_is_said_beside_what_is_shown(keyturn: Keyturn, world: World):
    world.create("ci-bot", auto_rotate=HOURLY)

    shown = keyturn("accounts", "show", "ci-bot")
    listed = keyturn("accounts", "show", "ci-bot", "--json")

    assert "no secret store gets the new token" in " ".join(shown.err.split())
    assert shown.err == listed.err
    assert "warning" not in listed.out
