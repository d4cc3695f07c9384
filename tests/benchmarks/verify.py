"""Verify beside a bare ASGI answer, over a million live tokens; how soon a revocation is seen."""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from core.actors import Actor
from core.settings import Settings
from models import Tenant
from services.engine import tokens
from services.runtime import Runtime, build
from tests.benchmarks.load import Load, request, run
from tests.benchmarks.many_tokens import Planted, plant_tokens
from tests.support.installation import Installation, installed
from tests.support.ports import LOOPBACK, free_port
from tests.support.postgres import Postgres
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

LIVE = int(os.environ.get("KEYTURN_TEST_LIVE_TOKENS", "1000000"))
PROCESSES = 4
CONNECTIONS = 32
REVOCATIONS = 50
COLD = 20_000
_HOT = 100
_ROUNDS = 3
_ROUND = 3.0  # seconds
_VERIFY = "/api/v1/verify"
_FORWARD_AUTH = "/api/v1/forward-auth"


@dataclass
class Found:
    """The best of the rounds of each, and every revocation in each process, in seconds."""

    loads: dict[str, Load]
    revocations: list[float]


def measure() -> Found:
    """Server and client on a core each; PostgreSQL on both."""
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres(own=True))
        redis = stack.enter_context(RedisServer(own=True))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = postgres.create_database("keyturn")
        keyturn = stack.enter_context(
            installed(folder, database_url=url, broker_url=redis.url, KEYTURN_LOG_LEVEL="WARNING")
        )
        keyturn.prepare()
        runtime = stack.enter_context(_runtime(keyturn))
        planted = plant_tokens(runtime, _tenant(runtime), LIVE, COLD + _HOT + REVOCATIONS)
        ports = [free_port() for _ in range(PROCESSES)]
        _start(keyturn, 0, ports[0])
        loads = _side_by_side(keyturn, ports[0], [one.token for one in planted[: COLD + _HOT]])
        for number in range(1, PROCESSES):
            _start(keyturn, number, ports[number])
        hot = [one.token for one in planted[:_HOT]]
        with _loaded(ports, hot):
            seen = _revoke(runtime, ports, planted[-REVOCATIONS:])
    return Found(loads, seen)


@contextmanager
def _runtime(keyturn: Installation) -> Iterator[Runtime]:
    settings = Settings(
        database_url=keyturn.env["KEYTURN_DATABASE_URL"],
        master_keys=keyturn.env["KEYTURN_MASTER_KEYS"],
    )
    runtime = build(settings)
    try:
        yield runtime
    finally:
        runtime.close()


def _tenant(runtime: Runtime) -> UUID:
    with runtime.database.reading() as session:
        return session.scalars(select(Tenant.id)).one()


def _start(keyturn: Installation, number: int, port: int) -> None:
    keyturn.start(f"api-{number}", "api", "--port", str(port))
    eventually(lambda: _answers(port), within=60)


def _answers(port: int) -> bool:
    try:
        return _ask(HTTPConnection(LOOPBACK, port), "x") == 401
    except OSError:
        return False


def _ask(connection: HTTPConnection, token: str) -> int:
    connection.request("GET", _VERIFY, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _side_by_side(keyturn: Installation, port: int, known: Sequence[str]) -> dict[str, Load]:
    server = keyturn.processes["api-0"].pid
    hot = known[:_HOT]
    warm = [request(_VERIFY, token) for token in hot]
    forward = [request(_FORWARD_AUTH, token) for token in hot]
    cold = [request(_VERIFY, token) for token in known[_HOT:]]
    with _bare() as (bare, bare_port), _on_core(server, 0), _on_core(bare, 0), _on_core(0, 1):
        rounds = [
            {
                "a bare ASGI answer": _load(bare_port, cycle(warm)),
                "verify, from memory": _load(port, cycle(warm)),
                "forward-auth, from memory": _load(port, cycle(forward)),
            }
            for _ in range(_ROUNDS)
        ]
        looked_up = _load(port, cold, seconds=120)
    best = {
        name: max((one[name] for one in rounds), key=lambda found: found.rate) for name in rounds[0]
    }
    return {**best, "verify, each token for the first time": looked_up}


def _load(port: int, requests: Iterable[bytes], seconds: float = _ROUND) -> Load:
    found = asyncio.run(run(port, requests, connections=CONNECTIONS, seconds=seconds))
    assert set(found.statuses) == {200}, found.statuses
    return found


@contextmanager
def _bare() -> Iterator[tuple[int, int]]:
    """A server of the least there is: its process and port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.bare", str(port)])
    try:
        eventually(lambda: _listens(port), within=30)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        return _ask(HTTPConnection(LOOPBACK, port), "x") == 200
    except OSError:
        return False


@contextmanager
def _on_core(process: int, core: int) -> Iterator[None]:
    """Each thread of a process (0: this thread) stays on this core."""
    cores = os.sched_getaffinity(0)
    chosen = sorted(cores)[core % len(cores)]
    threads = [int(one.name) for one in Path(f"/proc/{process}/task").iterdir()] if process else [0]
    for thread in threads:
        os.sched_setaffinity(thread, {chosen})
    try:
        yield
    finally:
        for thread in threads:
            os.sched_setaffinity(thread, cores)


@contextmanager
def _loaded(ports: Sequence[int], hot: Sequence[str]) -> Iterator[None]:
    """Every process is asked by eight connections meanwhile, as fast as they can."""
    stop = threading.Event()
    requests = [request(_VERIFY, token) for token in hot]

    async def load() -> None:
        while not stop.is_set():
            await asyncio.gather(
                *(run(port, cycle(requests), connections=8, seconds=1) for port in ports)
            )

    thread = threading.Thread(target=lambda: asyncio.run(load()))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _revoke(runtime: Runtime, ports: Sequence[int], some: Sequence[Planted]) -> list[float]:
    """From the commit of each revocation until each process refuses the token."""
    actor = Actor.operator(_tenant(runtime), "benchmark")
    connections = [HTTPConnection(LOOPBACK, port) for port in ports]
    seen = []
    for one in some:
        for connection in connections:
            assert _ask(connection, one.token) == 200
        tokens.revoke_all(runtime, actor, one.account_id)
        began = time.perf_counter()
        waiting = list(connections)
        while waiting:
            for connection in list(waiting):
                if _ask(connection, one.token) == 401:
                    seen.append(time.perf_counter() - began)
                    waiting.remove(connection)
            assert time.perf_counter() - began < 30
    return sorted(seen)
