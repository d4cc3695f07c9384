"""The places of an account over HTTP: how they fare, and checking them now."""

import httpx
import pytest

from tests.support.working_bell import WorkingBell
from tests.support.world import HOURLY, World, stored

ACCOUNTS = "/api/svc/v1/virtual-accounts"


@pytest.fixture
def account(world: World) -> str:
    """An account with a copy in a folder."""
    fqn = world.file_store(root_path="copies")
    made, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    return str(made.id)


def test_places_are_listed_with_what_they_confirmed(http: httpx.Client, world: World, account):
    (place,) = http.get(f"{ACCOUNTS}/{account}/secret-stores").json()["data"]

    assert place.pop("id")
    assert place == {
        "integrationFqn": "acme:custom:files-account:secret-store:files",
        "type": "custom/file",
        "path": "ci/token",
        "key": None,
        "required": True,
        "generation": 1,
        "confirmedAt": "2026-03-02T09:00:00Z",
        "checkedAt": None,
        "drift": None,
        "error": None,
        "pending": False,
    }


def test_a_check_is_under_way_or_answered(http: httpx.Client, world: World, account):
    world.runtime.bell = WorkingBell(world)
    kept = world.folder / "copies" / "ci" / "token"
    token = kept.read_text()
    kept.write_text("somebody else's\n")

    (place,) = http.post(f"{ACCOUNTS}/{account}/check-secret-stores").json()["data"]

    assert (place["drift"], place["pending"]) == (None, False)
    assert place["checkedAt"]
    assert kept.read_text() == token
    assert len(world.told("sync.drifted")) == 1
