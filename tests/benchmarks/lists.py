"""Lists of virtual accounts among 100,000, through the HTTP API: first page, last page, search."""

import logging
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import httpx
import structlog
from sqlalchemy import text

from api.app import create_app
from services.operation.bootstrap import ensure_admin
from tests.benchmarks.field import plant
from tests.support.serving import serving
from tests.support.world import World

ACCOUNTS = 100_000
PAGE = 50
_BATCH = 10_000
_CALLS = 300
_WARM = 20
_PATH = "/api/svc/v1/virtual-accounts"
_ASKED: dict[str, dict[str, str | int]] = {
    "the first page": {},
    "a page in the middle": {"offset": ACCOUNTS // 2},
    "the last page": {"offset": ACCOUNTS - PAGE},
    "a name search with 10 finds": {"nameSearchQuery": "-009999"},
    "a name search with 111 finds": {"nameSearchQuery": "0999"},
    "a name search without a find": {"nameSearchQuery": "nothing"},
}


def measure(world: World) -> dict[str, tuple[float, float]]:
    """Median and p99 of each list, in milliseconds."""
    due = world.clock.now() + timedelta(days=1)
    for start in range(0, ACCOUNTS, _BATCH):
        plant(world, _BATCH, due_at=due, numbered_from=start)
    with world.runtime.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(create_app(world.runtime)) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        token = Path(folder) / "admin-token"
        ensure_admin(world.runtime, world.tenant_id, token)
        client.headers["Authorization"] = f"Bearer {token.read_text().strip()}"
        return {name: _time(client, asked) for name, asked in _ASKED.items()}


def _time(client: httpx.Client, asked: dict[str, str | int]) -> tuple[float, float]:
    took = []
    for _ in range(_WARM + _CALLS):
        began = time.perf_counter()
        client.get(_PATH, params={"limit": PAGE, **asked}).raise_for_status()
        took.append((time.perf_counter() - began) * 1_000)
    ordered = sorted(took[_WARM:])
    return ordered[_CALLS // 2], ordered[int(_CALLS * 0.99)]
