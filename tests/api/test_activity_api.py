"""Events and deliveries by HTTP: looked back at in pages, and sent again."""

import httpx
import pytest

from core.errors import PlaceRefused, Transient
from tests.support.world import World, stored


def walked(http: httpx.Client, path: str, **query: object) -> list[dict]:
    found: list[dict] = []
    before = ""
    for _ in range(200):
        answer = http.get(path, params={**query, "before": before}).raise_for_status().json()
        found += answer["data"]
        if answer["older"] is None:
            return found
        before = answer["older"]
    raise AssertionError("it never ends")


def test_events_are_walked_page_by_page(http: httpx.Client, world: World):
    for number in range(7):
        world.create(f"bot-{number}")

    found = walked(http, "/api/v1/events", type="account.created", limit=3)

    names = [one["facts"]["account"] for one in found if one["facts"]["account"][:4] == "bot-"]
    assert names == [f"bot-{number}" for number in range(6, -1, -1)]
    assert {one["severity"] for one in found} == {"info"}
    assert walked(http, "/api/v1/events", severity="critical") == []


def test_a_failed_delivery_tells_its_attempts_and_is_rolled_forward(
    http: httpx.Client, world: World
):
    fqn, store = world.store()
    world.create("sent-bot", secret_store_config=stored(fqn))
    store.steps += [Transient("connection refused"), PlaceRefused("permission denied")]
    world.drain()
    world.clock.pass_(minutes=6)
    world.drain()
    (failed,) = walked(http, "/api/v1/deliveries", state="failed")

    path = f"/api/v1/deliveries/{failed['id']}"
    story = http.get(path).json()["data"]
    rolled = http.post(f"{path}/roll-forward")
    world.drain()

    assert [(one["attempt"], one["error"]) for one in story["failedAttempts"]] == [
        (2, "permission denied"),
        (1, "connection refused"),
    ]
    assert rolled.json() == {}
    of_bot = walked(http, "/api/v1/deliveries", account="sent-bot")
    assert [one["state"] for one in of_bot] == ["done", "failed"]
    done = f"/api/v1/deliveries/{of_bot[0]['id']}/roll-forward"
    assert http.post(done).status_code == 409


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("events", {"before": "yesterday"}, "before"),
        ("events", {"type": "nothing.happened"}, "type"),
        ("events", {"severity": "bad"}, "severity"),
        ("deliveries", {"state": "lost"}, "state"),
        ("deliveries", {"integration": "x"}, "integration"),
        ("deliveries", {"limit": 0}, "limit"),
    ],
)
def test_what_is_asked_wrongly_is_named(
    http: httpx.Client, path: str, query: dict[str, object], field: str
):
    answer = http.get(f"/api/v1/{path}", params=query)

    assert answer.status_code == 422
    assert field in str(answer.json()["details"])
