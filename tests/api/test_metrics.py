"""What Prometheus reads: counts and states, and never a name."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from core.errors import DestinationRefused
from models import Place
from services.engine import tokens
from tests.support.postgres import Postgres
from tests.support.serving import serving
from tests.support.world import HOURLY, World, new_world, stored, told_by

ROOT = Path(__file__).parents[2]
SECRET = "s3cret-of-the-operator"


def figures(http: httpx.Client, **headers: str) -> dict[str, float]:
    """Every sample as `name{label="value"}`, without the buckets of histograms."""
    answer = http.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return {
        sample.name + ",".join(f"{{{k}={v}}}" for k, v in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


def test_facts_and_sends_are_counted_by_kind(anybody: httpx.Client, world: World):
    files = world.file_store()
    world.create(auto_rotate=HOURLY, secret_store_configs=[stored(files)])
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()

    found = figures(anybody)

    assert found["keyturn_events_total{type=token.rotated}"] == 1
    sent = "keyturn_send_seconds_count{action=put},{kind=custom/file},{result=done}"
    assert found[sent] == 2


def test_calls_are_counted_by_route_and_not_by_path(http: httpx.Client, world: World):
    account, _ = world.create()
    http.get(f"/api/svc/v1/virtual-accounts/{account.id}")
    http.get("/api/svc/v1/virtual-accounts/nobody")

    found = figures(http)

    route = "{route=/api/svc/v1/virtual-accounts/{account_id}}"
    for status in (200, 404):
        assert found[f"keyturn_request_seconds_count{{method=GET}},{route},{{status={status}}}"]


def test_verifications_are_counted_by_what_came_of_them(anybody: httpx.Client, world: World):
    account, token = world.create()
    good = {"Authorization": f"Bearer {token.reveal()}"}
    question = {
        "resource_type": "virtual-account",
        "resource_fqn": account.fqn,
        "action": "virtual-account:update",
    }

    anybody.get("/api/v1/verify")
    for _ in range(2):
        anybody.get("/api/v1/verify", headers=good)
        anybody.get("/api/v1/verify", headers=good, params=question)
        anybody.get("/api/v1/forward-auth", headers=good)
    world.clock.pass_(hours=1)
    tokens.revoke_all(world.runtime, world.admin, account.id)
    world.clock.pass_(minutes=1)
    anybody.get("/api/v1/forward-auth", headers=good)

    counted = {
        (surface, result): figures(anybody).get(
            f"keyturn_verifications_total{{result={result}}},{{surface={surface}}}"
        )
        for surface in ("verify", "gateway")
        for result in ("good", "missing", "forbidden", "revoked")
    }
    assert {key: count for key, count in counted.items() if count} == {
        ("verify", "missing"): 1,
        ("verify", "good"): 2,
        ("verify", "forbidden"): 2,
        ("gateway", "good"): 2,
        ("gateway", "revoked"): 1,
    }


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_what_is_late_or_in_trouble_shows(anybody: httpx.Client, world: World):
    fqn, store = world.store()
    channel, _ = world.channel()
    world.create(
        "bad-bot",
        secret_store_configs=[stored(fqn)],
        notification_targets=[told_by(channel)],
    )
    idle, _ = world.store("idle")
    world.create("late-bot", auto_rotate=HOURLY)
    store.fail(DestinationRefused("no"), times=3)
    for _ in range(3):
        world.clock.pass_(minutes=10)
        world.drain()
    world.create("idle-bot", secret_store_configs=[stored(idle)])
    world.clock.pass_(hours=1)

    found = figures(anybody)

    assert found["keyturn_database_up"] == 1
    assert found["keyturn_accounts_overdue"] == 1
    assert found["keyturn_lanes{kind=custom/scripted},{state=paused}"] == 1
    assert found["keyturn_deliveries_pending{kind=custom/scripted}"] == 2
    assert found["keyturn_lane_lag_seconds"] == 3_600
    assert found["keyturn_audit_unchained"] > 0
    assert found["keyturn_clock_distrusted"] == 0


def test_no_name_of_a_tenants_thing_is_a_label(http: httpx.Client, world: World):
    fqn, _ = world.store("canary-store")
    world.create("canary-bot", secret_store_configs=[stored(fqn, "canary/path")])
    world.drain()

    told = http.get("/metrics").text

    assert "canary" not in told
    assert "acme" not in told
    assert not world.rows(Place, Place.confirmed_revision == 0)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_who_calls_for_others_is_not_answered(anybody: httpx.Client, header: str):
    answer = anybody.get("/metrics", headers={header: "203.0.113.7"})

    assert answer.status_code == 401
    assert "KEYTURN_METRICS_TOKEN" in answer.json()["message"]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[httpx.Client]:
    """A service whose operator set a token."""
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with (
        new_world(url, tmp_path / "files", metrics_token=SECRET) as world,
        serving(create_app(world.runtime)) as address,
        httpx.Client(base_url=address, timeout=30) as http,
    ):
        yield http


def test_with_a_token_only_its_bearer_is_answered_even_on_this_host(guarded: httpx.Client):
    bearers = ["", "Bearer wrong", f"Basic {SECRET}", f"Bearer {SECRET}"]

    answers = [guarded.get("/metrics", headers={"Authorization": one}) for one in bearers]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 200]


@pytest.fixture
def empty_token(tmp_path: Path) -> Iterator[httpx.Client]:
    """A service whose operator left the token empty."""
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with (
        new_world(url, tmp_path / "files", metrics_token="") as world,
        serving(create_app(world.runtime)) as address,
        httpx.Client(base_url=address, timeout=30) as http,
    ):
        yield http


def test_an_empty_token_is_none(empty_token: httpx.Client):
    elsewhere = empty_token.get(
        "/metrics", headers={"Authorization": "Bearer", "X-Forwarded-For": "203.0.113.7"}
    )

    assert elsewhere.status_code == 401
    assert empty_token.get("/metrics").status_code == 200


def test_of_a_database_that_is_away_only_that_is_said(tmp_path: Path):
    with (
        Postgres(own=True) as postgres,
        new_world(postgres.create_database("keyturn"), tmp_path / "files") as world,
        serving(create_app(world.runtime)) as address,
        httpx.Client(base_url=address, timeout=30) as http,
    ):
        postgres.stop()

        found = figures(http)

    assert found["keyturn_database_up"] == 0
    assert "keyturn_accounts_overdue" not in found


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\bkeyturn_[a-z_]+", text))


@pytest.fixture
def offered(anybody: httpx.Client, world: World) -> set[str]:
    """The names of all samples of a service that has done a bit of everything."""
    fqn, _ = world.store()
    world.create(auto_rotate=HOURLY, secret_store_configs=[stored(fqn)])
    world.drain()
    anybody.get("/healthz")
    anybody.get("/api/v1/verify")
    text = anybody.get("/metrics").text
    return {
        sample.name for family in text_string_to_metric_families(text) for sample in family.samples
    } | {"keyturn_processes"}


def test_every_metric_is_documented_and_every_documented_one_is_there(offered: set[str]):
    families = {re.sub(r"_(total|created|bucket|count|sum)$", "", name) for name in offered}
    page = (ROOT / "docs" / "metrics.md").read_text()

    rows = re.findall(r"^\| `(\w+)", page, re.MULTILINE)
    documented = {name.removesuffix("_total") for name in rows}

    assert documented == {name for name in families if name.startswith("keyturn_")}


def test_rules_and_dashboard_ask_for_what_there_is(offered: set[str]):
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())
    board = json.loads((ROOT / "deploy" / "grafana" / "keyturn.json").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]

    assert len(asked) > 15
    for expression in asked:
        assert named_in(expression)
        assert named_in(expression) <= offered, expression


def test_every_alert_says_what_to_do():
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())

    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert set(rule["annotations"]) == {"summary", "todo"}
