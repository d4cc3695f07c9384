"""Two API processes: what one of them revokes, the other one refuses within a second."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.installation import Installation, installed
from tests.support.issuer import Issuer
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

VERIFY = "/api/v1/verify"
APPLY = "/api/svc/v1/apply"
ACCOUNTS = "/api/svc/v1/virtual-accounts"


@pytest.fixture
def keyturn(
    tmp_path: Path, empty_postgres_url: str, redis_server: RedisServer
) -> Iterator[Installation]:
    redis_server.flush()
    with installed(tmp_path, database_url=empty_postgres_url, broker_url=redis_server.url) as made:
        yield made


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(datetime.now(UTC)) as made:
        yield made


@pytest.mark.parametrize("kind", ["token", "mapped JWT"])
def test_a_revocation_reaches_another_process_within_a_second(
    keyturn: Installation, issuer: Issuer, kind: str
):
    admin = {"Authorization": f"Bearer {keyturn.prepare()}"}
    other = f"http://127.0.0.1:{(port := free_port())}"
    keyturn.start("api", "api", "--port", str(keyturn.port))
    keyturn.start("other", "api", "--port", str(port))
    keyturn.wait_ready()
    eventually(lambda: _answers(other), within=30)
    manifest: dict[str, Any] = {"type": "virtual-account", "name": "ci-bot"}
    if kind == "mapped JWT":
        given = {"name": "idp", "issuer": issuer.url, "audiences": [issuer.audience]}
        applied = {"manifest": {"type": "identity-provider", **given}}
        httpx.put(f"{keyturn.url}{APPLY}", json=applied, headers=admin).raise_for_status()
        mapping = {"identity_provider": "idp", "value": issuer.claims()["sub"]}
        manifest["identity_provider_mapping"] = [mapping]
    made = httpx.put(f"{keyturn.url}{ACCOUNTS}", json={"manifest": manifest}, headers=admin).json()
    token = issuer.issue() if kind == "mapped JWT" else made["token"]
    bearer = {"Authorization": f"Bearer {token}"}

    def statuses() -> list[int]:
        return [
            httpx.get(f"{url}{VERIFY}", headers=bearer).status_code for url in (keyturn.url, other)
        ]

    before = statuses()
    httpx.post(
        f"{keyturn.url}/api/svc/v1/delete", json={"manifest": manifest}, headers=admin
    ).raise_for_status()
    began = time.monotonic()
    here = statuses()[0]
    eventually(lambda: statuses() == [401, 401], within=5)
    took = time.monotonic() - began

    assert before == [200, 200]
    assert here == 401
    assert took < 2, "the TTL is no excuse"
    assert set(keyturn.stop_all().values()) == {0}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
