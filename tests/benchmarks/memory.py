"""The resident memory of one worker that serves twenty integrations of one kind."""

import tempfile
from pathlib import Path

import httpx

from tests.support.aws_double import AwsDouble
from tests.support.installation import installed
from tests.support.postgres import Postgres
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

_INTEGRATIONS = 20


def measure() -> dict[str, float]:
    """MB after the start, and after a copy went to each of twenty AWS integrations."""
    with (
        Postgres(own=True) as postgres,
        RedisServer(own=True) as redis,
        AwsDouble() as aws,
        tempfile.TemporaryDirectory() as folder,
        installed(
            Path(folder),
            database_url=postgres.create_database("keyturn"),
            broker_url=redis.url,
        ) as keyturn,
        httpx.Client(base_url=keyturn.url, timeout=60) as client,
    ):
        client.headers["Authorization"] = f"Bearer {keyturn.prepare()}"
        keyturn.start_all(workers=1)
        worker = keyturn.processes["worker-0"]
        started = worker.resident_megabytes
        client.put("/api/svc/v1/apply", json={"manifest": _provider(aws)}).raise_for_status()
        for number in range(_INTEGRATIONS):
            account = {
                "type": "virtual-account",
                "name": f"bot-{number:02}",
                "secret_store_config": {
                    "type": "secret-store",
                    "integration_fqn": f"acme:aws:cloud:secret-store:store-{number:02}",
                    "secret_path": f"bots/{number}",
                },
            }
            client.put("/api/svc/v1/apply", json={"manifest": account}).raise_for_status()
        eventually(
            lambda: (
                keyturn.database("SELECT count(*) FROM places WHERE confirmed_revision = 1")
                == [(_INTEGRATIONS,)]
            ),
            within=120,
        )
        return {"at rest": started, "after 20 AWS integrations": worker.resident_megabytes}


def _provider(aws: AwsDouble) -> dict[str, object]:
    return {
        "type": "provider-account/aws",
        "name": "cloud",
        "aws_account_id": "123456789012",
        "auth_data": {
            "type": "access-key-based",
            "access_key_id": "AKIAEXAMPLE",
            "secret_access_key": "example",
        },
        "integrations": [
            {
                "type": "integration/secret-store/aws/secrets-manager",
                "name": f"store-{number:02}",
                "region": "us-east-1",
                "endpoint_url": aws.endpoint_url,
            }
            for number in range(_INTEGRATIONS)
        ],
    }
