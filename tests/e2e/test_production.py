"""Everything at once, as in production: api, beat and two workers as processes of their own."""

from pathlib import Path

import httpx
import pytest

from tests.support.consumer import Consumer
from tests.support.installation import Installation, installed
from tests.support.outside import Outside
from tests.support.searching import Search
from tests.support.waiting import eventually

ROTATIONS = 20


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    server = {"redis": "redis_server", "rabbitmq": "rabbitmq"}[request.param]
    return request.getfixturevalue(server).url


def generation(client: httpx.Client, account: str) -> int:
    return client.get(f"/api/svc/v1/virtual-accounts/{account}").json()["data"]["generation"]


def settled(installation: Installation) -> bool:
    """Every grace is over, and nothing waits or is under way on any lane."""
    rows = installation.database(
        "SELECT (SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending')),"
        " (SELECT count(*) FROM tokens WHERE state = 'grace')"
    )
    return rows == [(0, 0)]


def test_no_consumer_sees_a_401_across_twenty_rotations_and_no_secret_leaks(
    tmp_path: Path, empty_postgres_url: str, broker_url: str, outside: Outside
):
    with (
        installed(tmp_path, database_url=empty_postgres_url, broker_url=broker_url) as keyturn,
        Search(broker_url) as search,
        httpx.Client(base_url=keyturn.url, timeout=30) as client,
    ):
        admin_token = keyturn.prepare()
        client.headers["Authorization"] = f"Bearer {admin_token}"
        keyturn.start_all(workers=2)
        for manifest in outside.manifests():
            answer = outside.apply(client, manifest)
            for integration in answer["data"]["integrations"]:
                assert integration["metadata"]["check"]["ok"], integration
        account = outside.apply(client, outside.account("ci-bot"))["data"]["id"]
        token_file = tmp_path / "files" / "ci-bot" / "token"
        eventually(token_file.exists, within=20)

        readers = {
            "file": lambda: token_file.read_text().strip(),
            "vault": lambda: outside.vault.versions("ci-bot/token")[-1][1]["token"],
            "aws": lambda: _current(outside.aws.versions("ci-bot/token")),
        }
        eventually(lambda: all(read() for read in readers.values()), within=20)
        with (
            Consumer(keyturn.url, readers["file"]) as by_file,
            Consumer(keyturn.url, readers["vault"]) as by_vault,
            Consumer(keyturn.url, readers["aws"]) as by_aws,
        ):
            eventually(lambda: generation(client, account) > ROTATIONS, within=120)
            errors = [
                client.put("/api/svc/v1/apply", json={"manifest": {"type": by_file.read_token()}}),
                client.get(f"/api/svc/v1/virtual-accounts/{by_file.read_token()}"),
                client.put("/api/svc/v1/virtual-accounts", json={"manifest": admin_token}),
            ]
        client.post(f"/api/svc/v1/virtual-accounts/{account}/pause")
        eventually(lambda: settled(keyturn), within=60)

        for consumer in (by_file, by_vault, by_aws):
            assert consumer.refused == []
            assert consumer.answers[200] > 100
        assert len(by_file.tokens) >= ROTATIONS
        tokens = by_file.tokens | by_vault.tokens | by_aws.tokens | {admin_token}
        newest = client.get(f"/api/svc/v1/virtual-accounts/{account}/token").json()["token"]
        assert {read() for read in readers.values()} == {newest}

        told = keyturn.database("SELECT id FROM deliveries WHERE action = 'notice'")
        assert len(outside.mail.messages) + len(outside.slack.messages) == len(told)
        codes = keyturn.stop_all()
        assert set(codes.values()) == {0}, codes

        search.logs(keyturn.logs())
        search.database(empty_postgres_url)
        search.texts("notices", [str(mail.message) for mail in outside.mail.messages])
        search.texts("chat", [str(message) for message in outside.slack.messages])
        search.texts("errors", [error.text for error in errors])
        assert search.found(tokens, but_not_in=("errors",)) == []
        assert search.found(set(outside.secrets)) == []


def _current(versions: list[dict[str, object]]) -> str:
    return next(str(v["value"]) for v in versions if "AWSCURRENT" in v["stages"])  # type: ignore[operator]
