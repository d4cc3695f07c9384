import threading
from uuid import uuid4

import pytest

from core.clock import boot_seconds
from core.settings import Settings
from models import Delivery, DeliveryState
from services.operation.pulse import Pulse
from tests.support.waiting import eventually
from tests.support.world import HOURLY, World, stored
from workers.app import make_app
from workers.bell import CeleryBell
from workers.crew import Crew
from workers.pacemaker import Pacemaker


@pytest.mark.law(1)
def test_ringing_with_a_dead_broker_neither_waits_nor_fails():
    bell = CeleryBell(make_app(Settings(broker_url="redis://127.0.0.1:1/0")))
    began = boot_seconds()

    for _ in range(100):
        bell.ring_lanes([uuid4()])
        bell.ring_rotation()

    assert boot_seconds() - began < 1.0
    bell.close()


@pytest.mark.law(1)
def test_a_worker_that_hears_no_tick_ticks_by_itself(world: World):
    fqn, store = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)
    crew = Crew(world.runtime, Pulse(world.runtime, "worker"))
    world.clock.pass_(minutes=1)
    pacemaker = Pacemaker(crew, period=0.05)

    pacemaker.start()

    eventually(lambda: store.held and store.held["ci/token"][0].revision == 2)
    crew.stop.set()
    pacemaker.join(10)
    assert world.fresh(account).generation == 2


@pytest.mark.law(1)
def test_losing_every_bell_loses_nothing(world: World):
    fqn, store = world.store()
    world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.runtime.bell.lanes.clear()

    sent = world.drain()

    assert sent == 1
    assert "ci/token" in store.held


@pytest.mark.law(2)
def test_no_transaction_is_open_while_a_store_is_written(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    seen: list[tuple[str, int]] = []

    def look() -> None:
        states = [d.state.value for d in world.deliveries(Delivery.place_id.is_not(None))]
        seen.append((states[0], world.runtime.database.engine.pool.checkedout()))

    store.steps.append(look)
    world.drain()

    assert seen == [("sending", 0)]


def test_a_troubled_lane_is_drained_from_a_queue_of_its_own(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    store.fail(ConnectionError())
    world.drain()
    crew = Crew(world.runtime, Pulse(world.runtime, "worker"))
    world.clock.pass_(minutes=1)
    lane = world.lane(fqn).id
    world.runtime.bell.lanes.clear()

    crew.drain(lane, troubled=False)
    from_the_healthy_queue = (dict(store.held), list(world.runtime.bell.lanes))
    crew.drain(lane, troubled=True)

    assert from_the_healthy_queue == ({}, [lane])
    assert "ci/token" in store.held


def test_a_worker_that_is_told_to_stop_settles_what_it_sent(world: World):
    fqn, store = world.store(concurrency=1)
    for number in range(10):
        world.create(f"bot-{number}", secret_store_config=stored(fqn, f"bots/{number}"))
    crew = Crew(world.runtime, Pulse(world.runtime, "worker"))
    store.steps.append(crew.stop.set)

    crew.drain(world.lane(fqn).id, troubled=False)

    states = [d.state for d in world.deliveries()]
    assert DeliveryState.SENDING not in states
    assert states.count(DeliveryState.DONE) == len(store.held)
    assert 0 < len(store.held) < 10


def test_a_worker_leaves_a_kind_it_cannot_load_to_one_that_can(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    lane = world.lane(fqn)
    with world.runtime.database.writing() as session:
        from models import Integration

        row = session.get_one(Integration, (lane.integration_id, lane.tenant_id))
        row.kind = "of/the-next-release"
        row.version += 1

    drained = threading.Thread(target=world.drain)
    drained.start()
    drained.join(30)

    assert world.deliveries()[0].state is DeliveryState.PENDING
    assert world.lane(fqn).state.value == "open"
    assert store.held == {}
