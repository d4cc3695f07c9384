"""From the due moment to the written sink, at rest: real processes, the shipped tick of 1 s."""

import statistics
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

import httpx

from tests.support.installation import Installation, installed
from tests.support.postgres import Postgres
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

_ACCOUNTS = 12
_INTERVAL = timedelta(seconds=5)
_SAMPLES = 150


def measure() -> dict[str, float]:
    """Seconds between the due moment and the confirmation: median, p99 and the worst."""
    with (
        Postgres(own=True) as postgres,
        RedisServer(own=True) as redis,
        tempfile.TemporaryDirectory() as folder,
        installed(
            Path(folder),
            database_url=postgres.create_database("keyturn"),
            broker_url=redis.url,
            KEYTURN_TICK="1s",
        ) as keyturn,
        httpx.Client(base_url=keyturn.url, timeout=30) as client,
    ):
        client.headers["Authorization"] = f"Bearer {keyturn.prepare()}"
        keyturn.start_all(workers=1)
        _create(client)
        eventually(lambda: len(_lags(keyturn)) >= _SAMPLES, within=180, every=1)
        lags = sorted(_lags(keyturn))
    return {
        "median": statistics.median(lags),
        "p99": lags[int(len(lags) * 0.99)],
        "worst": lags[-1],
    }


def _create(client: httpx.Client) -> None:
    files = {"type": "integration/secret-store/custom/file", "name": "files"}
    manifest = {"type": "provider-account/custom", "name": "own", "integrations": [files]}
    client.put("/api/svc/v1/apply", json={"manifest": manifest}).raise_for_status()
    for number in range(_ACCOUNTS):
        account = {
            "type": "virtual-account",
            "name": f"bot-{number:02}",
            "auto_rotate": {"interval": "5s", "grace": "2s"},
            "secret_store_config": {
                "type": "secret-store",
                "integration_fqn": "acme:custom:own:secret-store:files",
                "secret_path": f"bots/{number}",
            },
        }
        client.put("/api/svc/v1/apply", json={"manifest": account}).raise_for_status()
        threading.Event().wait(0.37)  # due moments that do not coincide with each other


def _lags(keyturn: Installation) -> list[float]:
    """Of each rotation: when its copy was confirmed, after the moment at which it was due."""
    rows = keyturn.database(
        f"""
        SELECT extract(epoch FROM delivery.settled_at
                 - (account.created_at + (event.facts->>'generation')::int
                    * interval '{_INTERVAL.total_seconds()} seconds')
                 + interval '{_INTERVAL.total_seconds()} seconds')
        FROM deliveries delivery
        JOIN events event ON event.id = delivery.event_id
        JOIN virtual_accounts account ON account.id = delivery.account_id
        WHERE event.type = 'token.rotated' AND delivery.state = 'done'
        """
    )
    return [float(row[0]) for row in rows]
