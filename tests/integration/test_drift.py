"""What stores hold is compared with what they should hold, told, and repaired."""

from uuid import UUID

import pytest

from core.errors import PlaceRefused, Transient
from core.ids import Mark
from models import Action, Delivery, DeliveryState, Lane
from services.accounts import account_life, place_views
from services.delivery import drift
from services.integrations import integrations
from tests.plugins.keyturn_test_plugins.scripted import Store
from tests.support.working_bell import WorkingBell
from tests.support.world import HOURLY, World, new_world, stored, told_by

PATH = "ci/token"
STRANGE = UUID("0192d3a4-0000-7000-8000-0000000000ff")


@pytest.fixture
def kept(world: World):
    """An account whose copy rests in a store, and that store; its check is due."""
    return keep(world)


def keep(world: World, **config):
    fqn, store = world.store(**config)
    channel, chat = world.channel()
    account, token = world.create(
        auto_rotate=HOURLY,
        secret_store_config=stored(fqn),
        notification_targets=[told_by(channel)],
    )
    world.drain()
    world.clock.pass_(hours=6)
    return account, token, store, chat, fqn


def checks(world: World) -> list[Delivery]:
    return world.deliveries(Delivery.action == Action.CHECK)


def look(world: World) -> int:
    """A check of what is due, with all that follows from it."""
    due = drift.check_due(world.runtime)
    world.drain()
    return due


def drifted(world: World) -> list[str]:
    return [event.facts["found"] for event in world.told("sync.drifted")]


def overwrite(store: Store, mark: Mark) -> None:
    store.held[PATH] = (mark, "foreign")


def test_a_place_that_holds_what_it_should_is_only_dated(world: World, kept):
    before = world.places()[0]

    due = look(world)
    again = look(world)

    place = world.places()[0]
    assert (due, again) == (1, 0)
    assert place.checked_at == world.clock.now()
    assert (place.drift, place.revision) == (None, before.revision)
    assert checks(world) == drifted(world) == []


def test_somebody_else_s_value_is_told_and_written_over(world: World, kept):
    account, token, store, chat, _ = kept
    overwrite(store, Mark(0, 0, world.places()[0].id))

    look(world)

    place = world.places()[0]
    assert store.held[PATH] == (Mark(1, 2, place.id), token.reveal())
    assert (place.drift, place.confirmed_revision) == (None, 2)
    assert drifted(world) == ["somebody else's value in Keyturn's secret"]
    assert [notice.type.value for notice, _ in chat.notices][-2:] == [
        "sync.drifted",
        "sync.repaired",
    ]
    assert world.fresh(account).generation == 1


def test_a_copy_that_was_removed_is_written_again(world: World, kept):
    _, token, store, _, _ = kept
    del store.held[PATH]

    look(world)

    assert store.held[PATH][1] == token.reveal()
    assert drifted(world) == ["nothing is there"]


def test_an_older_copy_is_replaced_by_what_was_confirmed(world: World, kept):
    account, _, store, _, _ = kept
    first = store.held[PATH]
    world.rotate()
    world.drain()
    store.held[PATH] = first  # a late old write, in a store without check-and-set
    world.clock.pass_(minutes=10)
    world.clock.pass_(hours=6)

    drift.check_due(world.runtime)
    world.drain()

    assert store.held[PATH][0].revision == 3
    assert drifted(world) == ["an older copy"]
    assert world.places()[0].confirmed_generation == world.fresh(account).generation


def test_another_place_s_copy_is_told_and_stays(world: World, kept):
    _, _, store, _, _ = kept
    overwrite(store, Mark(1, 9, STRANGE))

    look(world)

    assert store.held[PATH] == (Mark(1, 9, STRANGE), "foreign")
    assert drifted(world) == ["another account's copy"]
    assert len(world.told("sync.failed")) == 1


def test_where_drift_is_only_reported_nothing_is_written_and_it_is_told_once(world: World):
    _, _, store, chat, _ = keep(world, on_drift="report")
    ours = store.held[PATH]
    overwrite(store, Mark(0, 0, world.places()[0].id))

    look(world)
    world.clock.pass_(hours=6)
    look(world)
    during = world.places()[0].drift
    store.held[PATH] = ours
    world.clock.pass_(hours=6)
    look(world)

    assert store.puts == [(PATH, ours[0])]
    assert (len(drifted(world)), during) == (1, "somebody else's value in Keyturn's secret")
    assert world.places()[0].drift is None
    assert [notice.type.value for notice, _ in chat.notices] == ["sync.drifted", "sync.repaired"]


def test_a_place_that_is_just_being_written_is_looked_at_later(world: World, kept):
    world.rotate()

    due = drift.check_due(world.runtime)
    asked = checks(world)
    world.drain()

    assert (due, asked) == (1, [])


def test_a_rotation_makes_a_check_that_waits_pointless(world: World, kept):
    _, _, store, _, _ = kept
    drift.check_due(world.runtime)

    world.rotate()
    world.drain()

    assert [row.state for row in checks(world)] == [DeliveryState.SUPERSEDED]
    assert drifted(world) == []
    assert store.held[PATH][0].revision == 2


def test_a_rotation_while_the_store_is_asked_is_not_undone(world: World, kept):
    account, _, store, _, _ = kept
    drift.check_due(world.runtime)
    overwrite(store, Mark(0, 0, world.places()[0].id))
    store.steps.append(world.rotate)

    world.drain()

    assert drifted(world) == []
    assert store.held[PATH][0].revision == world.places()[0].confirmed_revision == 2
    assert world.fresh(account).generation == 2


def test_a_store_that_is_down_is_asked_once_it_is_back(world: World, kept):
    _, _, store, _, _ = kept
    store.fail(Transient("down"))

    look(world)
    while_down = world.places()[0].checked_at
    world.clock.pass_(minutes=1)
    world.drain()

    assert while_down is None
    assert world.places()[0].checked_at is not None
    assert world.told("sync.failed") == []


def test_a_store_that_lets_nothing_be_read_alarms_nobody(world: World, kept):
    _, _, store, _, _ = kept
    store.at_path[PATH] = PlaceRefused("nothing can be read here")

    look(world)

    (check,) = checks(world)
    assert (check.state, check.error) == (DeliveryState.FAILED, "nothing can be read here")
    assert world.told("sync.failed") == drifted(world) == []


def test_a_paused_lane_gathers_one_check_of_a_place_not_many(world: World, kept):
    *_, fqn = kept
    integrations.pause_lane(world.runtime, world.admin, str(world.lane(fqn).id))

    for _ in range(3):
        look(world)
        world.clock.pass_(hours=6)

    assert len(checks(world)) == 1
    assert world.rows(Lane)[0].wake_at is None


def test_a_place_that_is_gone_is_not_asked_about(world: World, kept):
    account, *_ = kept

    account_life.delete_account(world.runtime, world.admin, account.id)

    assert drift.check_due(world.runtime) == 0


def test_without_an_interval_nothing_is_asked_by_itself(tmp_path):
    url = f"sqlite:///{tmp_path / 'k.db'}"
    with new_world(url, tmp_path / "files", drift_check="0s") as world:
        keep(world)

        assert drift.check_due(world.runtime) == 0
        assert world.places()[0].check_at is None


def test_a_check_by_hand_does_not_wait_for_its_turn(world: World, kept):
    account, _, store, _, _ = kept
    look(world)
    del store.held[PATH]
    store.steps = []

    world.runtime.bell = WorkingBell(world)
    place_views.check_places(world.runtime, world.admin, account.id)

    (view,) = place_views.list_places(world.runtime, world.admin, account.id)
    assert (view.place.drift, view.is_pending) == (None, False)
    assert PATH in store.held
