"""What a tick with nothing due costs, at 1,000 and at 1,000,000 accounts."""

import statistics
import time
from datetime import timedelta

from sqlalchemy import text

from services.audit import audit_chain
from services.delivery import lanes
from services.engine import expiry, rotation
from services.notices import reminding, standing_in
from tests.benchmarks.field import plant
from tests.support.world import World

_CHUNK = 20_000
_TIMES = 200


def measure(world: World) -> dict[str, float]:
    """Milliseconds for one whole tick, of everything that ticks do: the median of 200."""
    fqn, _ = world.store()
    lane = world.lane(fqn)
    costs, planted = {}, 0
    for count in (1_000, 1_000_000):
        while planted < count:
            later = world.clock.now() + timedelta(days=30)
            planted += len(
                plant(
                    world,
                    min(_CHUNK, count - planted),
                    due_at=later,
                    place_lanes=[lane],
                    numbered_from=planted,
                )
            )
        with world.runtime.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
        audit_chain.chain_due(world.runtime)  # what making this world left behind
        costs[f"{count:,} accounts"] = _tick(world)
    return costs


def _tick(world: World) -> float:
    runtime = world.runtime
    times = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        assert rotation.rotate_due(runtime).claimed == 0
        with runtime.database.reading() as session:
            assert lanes.due_lanes(session, runtime.now()) == []
        assert expiry.expire_due(runtime) == 0
        assert expiry.tell_due(runtime) == 0
        assert reminding.remind_due(runtime) == 0
        assert reminding.remind_owners_due(runtime) == 0
        assert standing_in.pass_on_due(runtime) == 0
        assert audit_chain.chain_due(runtime) == 0
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1_000
