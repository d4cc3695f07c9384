"""What will rotate when, and turning many keys in one call."""

from typing import Any

import httpx
import pytest

from models import VirtualAccount
from tests.support.world import HOURLY, World, stored

PLAN = "/api/svc/v1/rotation-plan"
ROTATE = "/api/svc/v1/virtual-accounts/rotate"


@pytest.fixture
def store(world: World) -> str:
    fqn, _ = world.store("slow", per_second=0.5)
    world.create("ci-bot", auto_rotate=HOURLY, secret_store_config=stored(fqn, "ci/bot"))
    world.create("web-bot", auto_rotate=HOURLY, secret_store_config=stored(fqn, "web/bot"))
    world.drain()
    return fqn


def rotated(http: httpx.Client, **body: Any) -> Any:
    answer = http.post(ROTATE, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def generations(world: World) -> dict[str, int]:
    rows = world.rows(VirtualAccount, VirtualAccount.name != "keyturn-admin")
    return {account.name: account.generation for account in rows}


def test_the_plan_has_days_names_and_the_least_time_of_each_limit(http: httpx.Client, store: str):
    plan = http.get(PLAN, params={"days": 1}).json()["data"]

    assert plan["total"] == sum(plan["byDay"].values()) == 48
    assert plan["first"][0]["account"] in {"ci-bot", "web-bot"}
    assert plan["first"][0]["at"].endswith("Z")
    assert plan["floors"] == [
        {
            "integrations": [store],
            "copies": 2,
            "unwritten": 0,
            "perSecond": 0.5,
            "calls": 2.0,
            "seconds": 4.0,
        }
    ]


def test_a_plan_with_too_many_rotations_asks_for_fewer_days(http: httpx.Client, world: World):
    world.create("ci-bot", auto_rotate={"interval": "1s", "grace": "1s"})

    answer = http.get(PLAN, params={"days": 366})

    assert answer.status_code == 422
    assert answer.json()["details"] == [{"field": "days"}]


@pytest.mark.parametrize("days", ["0", "367", "soon"])
def test_a_bad_number_of_days_is_refused(http: httpx.Client, days: str):
    assert http.get(PLAN, params={"days": days}).status_code == 422


def test_a_dry_run_says_the_least_time_and_turns_nothing(
    http: httpx.Client, world: World, store: str
):
    world.clock.pass_(minutes=1)

    said = rotated(http, dryRun=True, nameSearchQuery="-bot")

    assert (said["accounts"], said["turned"], said["left"], said["seconds"]) == (2, 0, 2, 4.0)
    assert [floor["integrations"] for floor in said["floors"]] == [[store]]
    assert set(generations(world).values()) == {1}


@pytest.mark.usefixtures("store")
def test_a_repeat_with_its_moment_turns_nothing_twice(http: httpx.Client, world: World):
    world.clock.pass_(minutes=1)

    first = rotated(http, filter='{"column": "name", "op": "EQUAL", "value": "ci-bot"}')
    again = rotated(http, before=first["before"], nameSearchQuery="-bot")
    last = rotated(http, before=first["before"], nameSearchQuery="-bot")

    assert [one["turned"] for one in (first, again, last)] == [1, 1, 0]
    assert (first["left"], last["left"]) == (0, 0)
    assert generations(world) == {"ci-bot": 2, "web-bot": 2}


def test_a_wrong_filter_names_its_place(http: httpx.Client):
    answer = http.post(ROTATE, json={"filter": "{}"})

    assert answer.status_code == 422
    assert answer.json()["details"] == [{"field": "filter.type"}]


def test_no_token_is_in_the_answer(http: httpx.Client, world: World):
    world.create("ci-bot")
    world.clock.pass_(minutes=1)

    assert "tfy_" not in http.post(ROTATE, json={"nameSearchQuery": "ci-bot"}).text
