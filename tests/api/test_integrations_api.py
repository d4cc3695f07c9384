"""Integrations over the API: what there is, how their lanes are, whether they connect."""

import httpx
import pytest
from truefoundry_sdk import TrueFoundry

from core.errors import Transient
from models import (
    AuditRow,
)
from services.integrations import integrations
from services.integrations.integration_removal import delete_provider_account
from tests.api.calls import NOWHERE, kept_in, put
from tests.api.integrations import CONSOLE, FQN, PATH, listed, one
from tests.api.stores import CANARY, FILES, MASK, custom, vault
from tests.support.world import World


def test_an_integration_is_listed_with_its_lane_and_its_last_check(
    client: TrueFoundry, http: httpx.Client
):
    client.apply(manifest=custom(FILES))

    found = one(http, FQN)

    assert (found["type"], found["kind"], found["provider"]) == (
        "secret-store",
        "custom/file",
        "custom",
    )
    assert found["providerAccountFqn"] == "acme:custom:local"
    assert found["manifest"] == FILES
    assert found["metadata"]["check"]["ok"] is True
    [lane] = found["lanes"]
    assert (lane["state"], lane["broken"], lane["waiting"]) == ("open", False, 0)


def test_a_credential_is_never_listed(client: TrueFoundry, http: httpx.Client, nobody: str):
    client.apply(manifest=vault(nobody))

    answer = http.get(PATH)

    assert CANARY not in answer.text
    found = next(one for one in answer.json()["data"] if one["provider"] == "hashicorp")
    assert found["manifest"]["auth_data"]["token"] == MASK


def test_a_lane_tells_how_its_destination_is(client: TrueFoundry, http: httpx.Client, world: World):
    fqn, store = world.store()
    put(client, secret_store_config=kept_in(fqn))
    store.fail(Transient("It does not answer."))
    world.drain()
    put(client, "other", secret_store_config=kept_in(fqn, "other/token"))
    integrations.pause_lane(world.runtime, world.admin, world.lane(fqn).id)

    [lane] = one(http, fqn)["lanes"]

    assert (lane["state"], lane["pausedBecause"]) == ("paused", "paused by tester")
    assert lane["lastError"] == "It does not answer."
    assert lane["waiting"] == 2


def test_one_integration_is_read_by_its_id(client: TrueFoundry, http: httpx.Client):
    client.apply(manifest=custom(FILES))
    found = one(http, FQN)

    assert http.get(f"{PATH}/{found['id']}").json()["data"] == found


def test_integrations_are_listed_page_by_page(client: TrueFoundry, http: httpx.Client):
    client.apply(manifest=custom(FILES, CONSOLE))
    everything = [found["fqn"] for found in listed(http)]

    pages = [
        [found["fqn"] for found in http.get(PATH, params={"limit": 1, "offset": n}).json()["data"]]
        for n in range(len(everything) + 1)
    ]

    assert pages == [[fqn] for fqn in everything] + [[]]
    assert everything == sorted(everything)


def test_a_check_really_connects_and_says_what_is_wrong(
    client: TrueFoundry, http: httpx.Client, nobody: str, world: World
):
    client.apply(manifest=vault(nobody))
    found = one(http, "acme:hashicorp:vaults:secret-store:vault")

    checked = http.post(f"{PATH}/{found['id']}/check").json()["data"]

    assert checked["ok"] is False
    assert checked["code"] == "transient"
    assert CANARY not in str(checked)
    assert one(http, found["fqn"])["metadata"]["check"] == checked
    [row] = world.rows(AuditRow, AuditRow.action == "integration.checked")
    assert row.detail == {"ok": False}


def test_a_check_of_what_works_says_so(client: TrueFoundry, http: httpx.Client):
    client.apply(manifest=custom(FILES))

    checked = http.post(f"{PATH}/{one(http, FQN)['id']}/check").json()["data"]

    assert checked["ok"] is True


@pytest.mark.parametrize("integration_id", [NOWHERE, "no-uuid"])
def test_an_integration_that_is_not_there_is_not_found(http: httpx.Client, integration_id: str):
    assert http.get(f"{PATH}/{integration_id}").status_code == 404
    assert http.post(f"{PATH}/{integration_id}/check").status_code == 404


def test_a_deleted_integration_is_not_found(client: TrueFoundry, http: httpx.Client, world: World):
    client.apply(manifest=custom(FILES))
    found = one(http, FQN)

    delete_provider_account(world.runtime, world.admin, "provider-account/custom", "local")

    assert http.get(f"{PATH}/{found['id']}").status_code == 404
    assert http.post(f"{PATH}/{found['id']}/check").status_code == 404
    assert FQN not in [one["fqn"] for one in listed(http)]
