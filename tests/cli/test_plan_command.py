from datetime import UTC, datetime, timedelta

import pytest

from tests.support.command import Keyturn
from tests.support.world import HOURLY, World, stored


def test_the_plan_is_printed_by_day_by_account_and_by_destination(keyturn: Keyturn, world: World):
    slow, _ = world.store("slow", rate=0.5)
    free, _ = world.store("free")
    world.create(
        "ci-bot",
        auto_rotate=HOURLY,
        secret_store_configs=[stored(slow, "a"), stored(slow, "b"), stored(free, "c")],
    )

    said = keyturn.said("plan", "--days", "2")

    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[0].startswith("48 rotations until ")
    assert lines[1:3] == ["By day", "day rotations"]
    assert lines[4].endswith("24 " + "█" * 30)
    assert "The first ones" in lines
    assert len([line for line in lines if line.endswith("Z ci-bot")]) == 48
    assert lines[-4:] == [
        "If every copy were written at once",
        "destination copies of them new published limit takes at least",
        f"{free} 1 1 none -",
        f"{slow} 2 2 0.5 a second 4s",
    ]


def test_the_plan_as_json_has_the_same_numbers(keyturn: Keyturn, world: World):
    fqn, _ = world.store("slow", rate=0.5)
    account, _ = world.create("ci-bot", auto_rotate=HOURLY, secret_store_config=stored(fqn))

    made = keyturn.json("plan", "--days", "1")

    first = made["first"][0]
    assert made["total"] == sum(made["by_day"].values()) == 24
    assert first["account"] == "ci-bot"
    assert datetime.fromisoformat(first["at"]) == account.rotated_at + timedelta(hours=1)
    assert datetime.fromisoformat(made["until"]) > datetime.now(UTC) + timedelta(hours=23)
    assert made["floors"] == [
        {
            "integrations": [fqn],
            "copies": 1,
            "unwritten": 1,
            "per_second": 0.5,
            "calls": 1.0,
            "seconds": 2.0,
        }
    ]


def test_a_plan_of_nothing_is_a_plan_too(keyturn: Keyturn):
    made = keyturn.json("plan")

    assert (made["total"], made["by_day"], made["first"], made["floors"]) == (0, {}, [], [])
    assert keyturn.said("plan").startswith("0 rotations until ")


@pytest.mark.parametrize("days", ["0", "-1", "3651", "soon"])
def test_a_bad_number_of_days_names_its_option(keyturn: Keyturn, days: str):
    assert "--days" in keyturn.refused("plan", "--days", days, code=2)
