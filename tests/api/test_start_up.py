"""What the reference's command asks before it does anything."""

import httpx
import pytest

from services.operation.bootstrap import ensure_tenant
from tests.support.persons import logged_in, person
from tests.support.world import LIMITS, World

BASE = "/api/svc/v1"


@pytest.fixture
def _neighbour(world: World) -> None:
    ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="admin@umbrella.example")


def test_every_version_of_the_command_is_served_and_logs_in_here(anybody: httpx.Client):
    answer = anybody.get(f"{BASE}/min-cli-version").json()

    assert answer == {
        "minVersion": "0.0.1",
        "truefoundryCliMinVersion": "0.0.1",
        "useSFYServerAuthAPIs": True,
    }


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "keyturn.example.com", ""])
def test_the_only_tenant_is_meant_by_every_host(anybody: httpx.Client, host: str):
    answer = anybody.get(f"{BASE}/tenant-id", params={"hostName": host}).json()

    assert answer == {"tenantName": "acme", "auth_server_url": "http://127.0.0.1:8400"}


@pytest.mark.usefixtures("_neighbour")
@pytest.mark.parametrize(
    ("host", "tenant"),
    [("umbrella.keyturn.example.com", "umbrella"), ("ACME.example.com:443", "acme")],
)
def test_of_several_tenants_the_hosts_first_label_says_which(
    anybody: httpx.Client, host: str, tenant: str
):
    answer = anybody.get(f"{BASE}/tenant-id", params={"hostName": host}).json()

    assert answer["tenantName"] == tenant


@pytest.mark.usefixtures("_neighbour")
def test_a_host_that_names_no_tenant_is_not_found(anybody: httpx.Client):
    answer = anybody.get(f"{BASE}/tenant-id", params={"hostName": "keyturn.example.com"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_virtual_account_is_told_who_it_is(http: httpx.Client):
    answer = http.get(f"{BASE}/session").json()

    assert answer["user"]["subject"]["subjectSlug"] == "keyturn-admin"
    assert answer["user"]["subject"]["subjectType"] == "serviceaccount"
    assert answer["user"]["tenantName"] == answer["tenantInfo"]["tenantName"] == "acme"
    assert (answer["user"]["email"], answer["isAdmin"]) == (None, True)


def test_a_personal_access_token_is_told_its_name(anybody: httpx.Client, world: World):
    answer = anybody.get(f"{BASE}/session", headers=person(world).bearer).json()

    assert answer["user"]["email"] == "ann@example.com"
    assert answer["user"]["subject"]["subjectPatName"] == "laptop"
    assert answer["isAdmin"] is False


def test_a_login_session_is_told_whose_it_is_and_when_it_ends(anybody: httpx.Client, world: World):
    token = logged_in(world, person(world))

    answer = anybody.get(
        f"{BASE}/session", headers={"Authorization": f"Bearer {token.reveal()}"}
    ).json()

    assert answer["user"]["email"] == "ann@example.com"
    assert "subjectPatName" not in answer["user"]["subject"]
    assert answer["expiresAt"] == "2026-03-02T21:00:00Z"
