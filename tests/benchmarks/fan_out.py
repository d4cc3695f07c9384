"""5,000 deliveries to a store with 20 ms latency, beside what 16 sends at a time allow."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from core.clock import AnchoredClock
from services.delivery import draining
from services.engine import rotation
from tests.benchmarks.field import plant
from tests.benchmarks.slow_store import LATENCY
from tests.support.world import World

DELIVERIES = 5_000
CONCURRENCY = 16


@contextmanager
def slow_store() -> Iterator[int]:
    """The store in a process of its own; gives its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.slow_store"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def measure(world: World) -> dict[str, float]:
    """Deliveries per second of one worker's drain, from claim to settled row."""
    with slow_store() as port:
        fqn = world.integration("custom", "plain", "secret-store/custom/plain-http", port=port)
        lane = world.lane(fqn)
        due = world.clock.now() - timedelta(seconds=1)
        plant(world, DELIVERIES, due_at=due, place_lanes=[lane])
        while rotation.rotate_due(world.runtime, limit=1_000).turned:
            pass
        world.runtime.clock = AnchoredClock(world.clock.now())
        began, sent = time.perf_counter(), 0
        while sent < DELIVERIES:
            sent += draining.drain(world.runtime, lane.id).sent
        took = time.perf_counter() - began
    return {
        "concurrency / latency": CONCURRENCY / LATENCY,
        "drained": sent / took,
    }
