"""What load balancers ask: whether a process lives, and whether it can do its work."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from services.operation.bootstrap import ensure_admin
from tests.support.postgres import Postgres
from tests.support.serving import serving
from tests.support.world import new_world


@dataclass
class Fragile:
    """A service over a database that a test may stop."""

    http: httpx.Client
    postgres: Postgres


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Fragile]:
    with (
        Postgres(own=True) as postgres,
        new_world(postgres.create_database("keyturn"), tmp_path / "files") as world,
        serving(create_app(world.runtime)) as address,
    ):
        ensure_admin(world.runtime, world.tenant_id, tmp_path / "token")
        bearer = f"Bearer {(tmp_path / 'token').read_text().strip()}"
        with httpx.Client(base_url=address, headers={"Authorization": bearer}, timeout=30) as http:
            yield Fragile(http, postgres)


def test_a_process_that_answers_lives(anybody: httpx.Client):
    answer = anybody.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_a_process_whose_database_answers_is_ready(anybody: httpx.Client):
    answer = anybody.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_while_the_database_is_away_a_process_lives_but_is_not_ready(fragile: Fragile):
    before = fragile.http.get("/readyz")

    fragile.postgres.stop()

    answer = fragile.http.get("/readyz")
    assert before.status_code == 200
    assert fragile.http.get("/healthz").status_code == 200
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.json() == {
        "statusCode": 503,
        "message": "The database does not answer (OperationalError).",
        "code": "unready",
        "details": None,
    }


def test_while_the_database_is_away_no_token_is_called_bad(fragile: Fragile):
    fragile.http.get("/api/v1/verify").raise_for_status()

    fragile.postgres.stop()

    answer = fragile.http.get("/api/v1/verify")
    assert (answer.status_code, answer.json()["code"]) == (503, "unready")
    assert answer.headers["Retry-After"] == "2"


def test_while_the_database_is_away_calls_are_answered_in_the_error_shape(fragile: Fragile):
    fragile.http.get("/api/svc/v1/virtual-accounts").raise_for_status()

    fragile.postgres.stop()

    answer = fragile.http.get("/api/svc/v1/virtual-accounts")
    assert answer.status_code == 503
    assert answer.json()["message"] == "The database does not answer."


def test_a_process_is_ready_again_once_the_database_is_back(fragile: Fragile):
    fragile.postgres.stop()
    away = fragile.http.get("/readyz")

    fragile.postgres.start()

    assert away.status_code == 503
    assert fragile.http.get("/readyz").status_code == 200
    assert fragile.http.get("/api/v1/verify").status_code == 200


def test_a_database_that_was_restarted_in_between_is_not_noticed(fragile: Fragile):
    fragile.http.get("/api/v1/verify").raise_for_status()

    fragile.postgres.restart()

    assert fragile.http.get("/api/v1/verify").status_code == 200
