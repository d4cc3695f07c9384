"""Many keys turned at once into a store with a published limit, in simulated time."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from services.accounts.account_filters import Narrowing
from services.engine.mass_rotation import look_ahead, turn_all
from tests.benchmarks.field import plant
from tests.support.simulated import DeadStore, LimitedStore, SimulatedClock, SimulatedWorker
from tests.support.world import World

ACCOUNTS = 10_000
PER_SECOND = 50
_DEAD = timedelta(seconds=10)  # a call's timeout


@dataclass(frozen=True)
class Finished:
    """How long it took beside the floor that was promised, and how often a store said 429."""

    seconds: float
    floor: float
    throttled: int
    lost_calls: int


def measure(world: World) -> dict[str, Finished]:
    """The same with and without a store beside it that never answers."""
    return {
        "alone": rotate_all(world, ACCOUNTS),
        "beside a dead store": rotate_all(world, ACCOUNTS, dead=True),
    }


def rotate_all(
    world: World,
    accounts: int,
    *,
    dead: bool = False,
    latency: float = 0.005,
    hangs: dict[int, timedelta] | None = None,
) -> Finished:
    """Turns all keys by hand, each kept in the limited store and, if there is one, in the dead."""
    clock = SimulatedClock()
    run = int(dead)
    fqn, store = world.store(f"limited-{run}", per_second=PER_SECOND, concurrency=16)
    lanes = [world.lane(fqn)]
    limited = LimitedStore(clock, PER_SECOND, timedelta(seconds=latency), hangs or {})
    store.always = limited.take
    lost = DeadStore(clock, _DEAD)
    if dead:
        dead_fqn, dead_store = world.store("dead", concurrency=16, send_limit=_DEAD.seconds)
        dead_store.always = lost.take
        lanes.append(world.lane(dead_fqn))
    due = clock.now() + timedelta(days=1)
    plant(world, accounts, due_at=due, place_lanes=lanes, numbered_from=run * 1_000_000)
    with world.runtime.database.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    worker = SimulatedWorker(world.runtime, clock)
    began = clock.now()
    which = Narrowing(search=f"bot-{run}")
    ahead = look_ahead(worker.runtime, world.admin, which)
    turned = [done.turned for done in turn_all(worker.runtime, world.admin, which, before=began)]
    assert sum(turned) == accounts
    worker.run(lambda: len(store.held) == accounts, at_most=timedelta(seconds=3 * ahead.seconds))
    seconds = (limited.taken[-1] - began).total_seconds() + latency
    return Finished(seconds, ahead.seconds, limited.throttled, lost.calls)
