from models import AuditRow, Delivery, Event
from services.operation import housekeeping
from tests.support.world import HOURLY, World, stored


def test_finished_deliveries_and_old_events_go_after_their_retention(world: World):
    fqn, _ = world.store()
    world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    before = (len(world.rows(Delivery)), len(world.rows(Event)))

    world.clock.pass_(days=91)
    housekeeping.prune(world.runtime)
    after_91_days = (len(world.rows(Delivery)), len(world.rows(Event)))
    world.clock.pass_(days=310)
    housekeeping.prune(world.runtime)

    assert before == (1, 1)
    assert after_91_days == (0, 1)
    assert world.rows(Event) == []
    assert len(world.rows(AuditRow)) >= 1


def test_what_is_still_pending_is_never_pruned(world: World):
    fqn, _ = world.store()
    world.create(secret_store_config=stored(fqn))

    world.clock.pass_(days=500)
    gone = housekeeping.prune(world.runtime)

    assert gone == 1  # what verifiers were told when the tenant got its admin
    assert len(world.rows(Delivery)) == 1


def test_pruning_twice_removes_nothing_more(world: World):
    fqn, _ = world.store()
    world.create(secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(days=500)

    gone = [housekeeping.prune(world.runtime) for _ in range(2)]

    assert gone == [3, 0]  # with what verifiers were told when the tenant got its admin
