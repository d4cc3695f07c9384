"""The security settings: read, changed, and what they do."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from truefoundry_sdk import AutoRotate, TrueFoundry

from models import AuditRow, PersonalAccessToken, Tenant, User, VirtualAccount
from services.people import personal_tokens
from services.people.personal_tokens import Wanted
from tests.api.calls import READER, put, rows
from tests.api.people import joined
from tests.support.world import World

PATH = "/api/svc/v1/settings/security"
AT_FIRST = {
    "smallestInterval": "1s",
    "smallestGrace": "1s",
    "defaultGrace": "30d",
    "maximumHold": "7d",
    "pickUp": "10m",
    "sessionLength": "12h",
    "patLongestLife": None,
    "patMostPerUser": None,
    "jwtAlgorithm": "EdDSA",
    "onLeak": "revoke",
    "notificationTargets": [],
}


@pytest.fixture
def change(http: httpx.Client) -> Callable[..., dict[str, Any]]:
    """Changes settings, as the admin."""

    def changed(**given: object) -> dict[str, Any]:
        answer = http.put(PATH, json=given)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return changed


def grace_of(world: World, name: str) -> timedelta:
    (account,) = world.rows(VirtualAccount, VirtualAccount.name == name)
    return account.grace


def personal(world: World, name: str, day: str | None = None) -> None:
    wanted = Wanted(name=name, expiration_date=day)
    personal_tokens.create_for(world.runtime, world.admin, "admin@example.com", wanted)


def test_the_settings_are_read_as_durations(http: httpx.Client):
    assert http.get(PATH).json() == {
        "data": AT_FIRST,
        "existing": "report",
        "tokens": [],
        "total": 0,
    }


def test_what_is_given_changes_and_the_rest_stays(change: Callable[..., Any], world: World):
    changed = change(smallestInterval="36h", maximumHold="P2D", patMostPerUser=3)

    assert changed["data"] == AT_FIRST | {
        "smallestInterval": "1d12h",
        "maximumHold": "2d",
        "patMostPerUser": 3,
    }
    assert change(patMostPerUser=None)["data"]["patMostPerUser"] is None
    written = [row for row in world.rows(AuditRow) if row.action == "tenant.limits-changed"]
    assert written[0].detail["before"]["smallest_interval"] == "1s"
    assert written[0].detail["after"]["smallest_interval"] == "1d12h"


def test_settings_that_are_so_already_write_nothing(change: Callable[..., Any], world: World):
    before = rows(world)

    change(**AT_FIRST)
    change()

    assert rows(world) == before


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"smallestInterval": "soon"}, "smallestInterval"),
        ({"smallestInterval": "0s"}, "smallestInterval"),
        ({"smallestGrace": None}, "smallestGrace"),
        ({"sessionLength": "0s"}, "sessionLength"),
        ({"defaultGrace": "1d", "smallestGrace": "2d"}, "defaultGrace"),
        ({"patLongestLife": "23h"}, "patLongestLife"),
        ({"patMostPerUser": -1}, "patMostPerUser"),
        ({"patMostPerUser": 2**40}, "patMostPerUser"),
        ({"jwtAlgorithm": "HS256"}, "jwtAlgorithm"),
        ({"jwtAlgorithm": None}, "jwtAlgorithm"),
        ({"existing": "forget"}, "existing"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_changes(
    http: httpx.Client, given: dict[str, Any], field: str
):
    answer = http.put(PATH, json=given)

    assert answer.status_code == 422
    assert answer.json()["details"][0]["field"] == field
    assert http.get(PATH).json()["data"] == AT_FIRST


def test_only_an_admin_reads_and_changes_them(anybody: httpx.Client, world: World):
    _, token = world.create(permissions=[READER.model_dump()])
    bearers = (token.reveal(), joined(world, "bea@example.com"))

    answers = [
        anybody.request(method, PATH, json=body, headers={"Authorization": f"Bearer {bearer}"})
        for bearer in bearers
        for method, body in (("GET", None), ("PUT", {"patMostPerUser": 1}))
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert world.rows(Tenant)[0].pat_most_per_user is None


def test_longer_tokens_are_reported_and_left_alone(change: Callable[..., Any], world: World):
    personal(world, "endless")
    personal(world, "far-off", "2026-12-31")
    personal(world, "near", "2026-03-20")
    before = [row.expires_at for row in world.rows(PersonalAccessToken)]

    told = change(patLongestLife="30d")

    assert [(one["name"], one["email"], one["expiresAt"]) for one in told["tokens"]] == [
        ("endless", "admin@example.com", None),
        ("far-off", "admin@example.com", "2027-01-01T00:00:00Z"),
    ]
    assert (told["existing"], told["total"]) == ("report", 2)
    assert [row.expires_at for row in world.rows(PersonalAccessToken)] == before


def test_longer_tokens_are_shortened_when_that_is_wanted(
    change: Callable[..., Any], http: httpx.Client, world: World
):
    personal(world, "endless")
    personal(world, "near", "2026-03-20")

    change(patLongestLife="30d")
    told = change(existing="shorten")

    ends = {row.name: row.expires_at for row in world.rows(PersonalAccessToken)}
    assert [one["name"] for one in told["tokens"]] == ["endless"]
    assert ends["endless"] == world.clock.now() + timedelta(days=30)
    assert ends["near"].isoformat() == "2026-03-21T00:00:00+00:00"
    assert http.get(PATH).json()["total"] == 0
    assert world.rows(AuditRow)[-1].detail["shortened"] == 1


def test_the_default_grace_counts_where_a_manifest_says_none(
    change: Callable[..., Any], client: TrueFoundry, world: World
):
    change(defaultGrace="7d")

    put(client, "silent", auto_rotate={"auto_rotate_interval": 90})
    put(client, "in-days", auto_rotate=AutoRotate(auto_rotate_interval=90, grace_period=3))
    put(client, "typed", auto_rotate=AutoRotate(auto_rotate_interval=90))
    world.put("dict", auto_rotate={"interval": "90d"})
    world.put("duration", auto_rotate={"interval": "90d", "grace": "2h"})

    assert grace_of(world, "dict") == timedelta(days=7)
    assert grace_of(world, "in-days") == timedelta(days=3)
    assert grace_of(world, "duration") == timedelta(hours=2)


def test_what_was_read_can_be_sent_back_and_changes_no_grace(
    change: Callable[..., Any], http: httpx.Client, world: World
):
    change(defaultGrace="7d")
    world.put(auto_rotate={"interval": "90d"})
    listed = http.get("/api/svc/v1/virtual-accounts?nameSearchQuery=ci-bot").json()["data"]
    manifest = listed[0]["manifest"]

    http.put("/api/svc/v1/virtual-accounts", json={"manifest": manifest})

    assert manifest["auto_rotate"]["grace_period"] == 7
    assert grace_of(world, "ci-bot") == timedelta(days=7)


def test_a_login_works_for_the_sessions_length(
    change: Callable[..., Any], anybody: httpx.Client, world: World
):
    change(sessionLength="1h")
    bearer = {"Authorization": f"Bearer {joined(world, 'bea@example.com')}"}

    world.clock.pass_(minutes=59)
    within = anybody.get("/api/svc/v1/users", headers=bearer).status_code
    world.clock.pass_(minutes=1)
    after = anybody.get("/api/svc/v1/users", headers=bearer).status_code

    assert (within, after) == (200, 401)
    assert len(world.rows(User)) == 2
