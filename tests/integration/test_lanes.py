import threading
from datetime import timedelta

import pytest

from core.errors import DestinationRefused, PlaceRefused, Transient
from models import Delivery, DeliveryState, LaneState
from services.delivery import draining, lanes, syncing
from services.delivery.claiming import claim
from services.engine import tokens
from services.integrations import integrations
from tests.support.waiting import eventually
from tests.support.world import HOURLY, World, stored, told_by


def bots(world: World, fqn: str, count: int) -> None:
    for number in range(count):
        world.create(f"bot-{number:03}", secret_store_config=stored(fqn, f"bots/{number}"))


@pytest.mark.law(10)
def test_a_transient_failure_is_tried_again_later_with_the_same_bytes(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    store.lose_answer(Transient("lost"))

    world.drain()
    row = world.deliveries()[0]
    first = dict(store.held)
    world.clock.pass_(seconds=10)
    world.drain()

    assert (row.state, row.failures) == (DeliveryState.PENDING, 1)
    assert row.due_at > row.created_at
    assert store.held == first
    assert world.deliveries()[0].state is DeliveryState.DONE


@pytest.mark.law(10)
def test_what_the_destination_asks_to_wait_is_kept(world: World):
    fqn, store = world.store(per_second=10)
    world.create(secret_store_config=stored(fqn))
    store.fail(Transient("slow down", retry_after=timedelta(seconds=90), throttled=True))
    world.drain()

    world.clock.pass_(seconds=89)
    early = world.drain()
    world.clock.pass_(seconds=2)
    late = world.drain()

    assert (early, late) == (0, 1)
    assert world.deliveries()[0].failures == 0


@pytest.mark.law(10)
def test_a_refused_place_fails_alone_tells_its_owner_and_the_lane_goes_on(world: World):
    fqn, store = world.store()
    channel_fqn, channel = world.channel()
    store.at_path["bad/path"] = PlaceRefused("a foreign secret is there")
    world.create(
        "bad", secret_store_config=stored(fqn, "bad/path"), notification_target=told_by(channel_fqn)
    )
    world.create("good", secret_store_config=stored(fqn, "good/path"))

    world.drain()

    assert "good/path" in store.held
    assert world.lane(fqn).state is LaneState.OPEN
    assert [notice.type.value for notice, _ in channel.notices] == ["sync.failed"]
    assert [d.state.value for d in world.deliveries(Delivery.document == "bad/path")] == ["failed"]


@pytest.mark.law(10)
def test_three_refusals_by_the_destination_pause_the_lane_and_tell_once(world: World):
    fqn, store = world.store(concurrency=1)
    channel_fqn, channel = world.channel()
    for number in range(6):
        world.create(
            f"bot-{number}",
            secret_store_config=stored(fqn, f"bots/{number}"),
            notification_target=told_by(channel_fqn),
        )
    store.fail(DestinationRefused("wrong credentials"), times=100)

    world.drain()

    lane = world.lane(fqn)
    assert (lane.state, lane.paused_because) == (LaneState.PAUSED, "wrong credentials")
    assert len(store.steps) >= 95  # three, and what was claimed ahead with the third
    assert [notice.type.value for notice, _ in channel.notices] == ["lane.paused"]


def test_a_resumed_lane_sends_what_waited(world: World):
    fqn, store = world.store(concurrency=1)
    bots(world, fqn, 4)
    store.fail(DestinationRefused("wrong credentials"), times=3)
    world.drain()

    integrations.resume_lane(world.runtime, world.admin, world.lane(fqn).id)
    world.clock.pass_(minutes=5)
    world.drain()

    assert len(store.held) == 4


@pytest.mark.law(11)
def test_five_failures_in_a_row_open_the_breaker_and_the_rest_waits_unharmed(world: World):
    fqn, store = world.store(concurrency=1)
    bots(world, fqn, 40)
    store.fail(Transient("down"), times=1_000)

    world.drain()

    calls = 1_000 - len(store.steps)
    untried = [d for d in world.deliveries() if d.failures == 0]
    assert world.lane(fqn).is_broken
    assert calls == 5
    assert len(untried) == 35


@pytest.mark.law(11)
def test_a_broken_lane_sends_one_probe_a_step_and_recovers(world: World):
    fqn, store = world.store(concurrency=4)
    bots(world, fqn, 40)
    store.fail(Transient("down"), times=1_000)
    world.drain()
    before = len(store.steps)

    world.clock.pass_(minutes=10)
    world.drain()
    probes = before - len(store.steps)
    store.steps.clear()
    world.clock.pass_(minutes=10)
    world.drain()

    assert probes == 1
    assert len(store.held) == 40
    assert not world.lane(fqn).is_broken


@pytest.mark.law(11)
def test_no_second_sees_more_than_the_published_limit(world: World):
    fqn, store = world.store(per_second=10, concurrency=16)
    moments = []
    bots(world, fqn, 35)
    started = world.clock.now()
    store.steps += [lambda: moments.append(world.clock.now())] * 35

    world.drain()

    assert len(store.held) == 35
    assert world.clock.now() - started >= timedelta(seconds=3.4)
    in_first_second = [m for m in moments if m < started + timedelta(seconds=1)]
    assert len(in_first_second) <= 11


@pytest.mark.law(11)
def test_lanes_of_one_account_at_a_provider_share_its_limit(world: World):
    first_fqn, _ = world.store("one", per_second=10, quota="account-1")
    second_fqn, _ = world.store("two", per_second=10, quota="account-1")
    started = world.clock.now()
    for number in range(10):
        world.create(f"a-{number}", secret_store_config=stored(first_fqn, f"a/{number}"))
        world.create(f"b-{number}", secret_store_config=stored(second_fqn, f"b/{number}"))

    world.drain()

    assert world.clock.now() - started >= timedelta(seconds=1.9)


@pytest.mark.law(11)
def test_a_hanging_store_delays_no_other_lane(world: World):
    slow_fqn, slow = world.store("slow")
    fast_fqn, fast = world.store("fast")
    release = threading.Event()
    slow.hang(release)
    world.create("slow-bot", secret_store_config=stored(slow_fqn, "slow/token"))
    world.create("fast-bot", secret_store_config=stored(fast_fqn, "fast/token"))
    slow_lane, fast_lane = world.lane(slow_fqn).id, world.lane(fast_fqn).id
    hanging = threading.Thread(target=draining.drain, args=(world.runtime, slow_lane))
    hanging.start()
    eventually(lambda: slow.under_way == 1)

    draining.drain(world.runtime, fast_lane)

    assert "fast/token" in fast.held
    assert slow.held == {}
    release.set()
    hanging.join(10)
    assert "slow/token" in slow.held


def test_at_most_the_lanes_concurrency_is_under_way(world: World):
    fqn, store = world.store(concurrency=3)
    bots(world, fqn, 20)

    world.drain()

    assert len(store.held) == 20
    assert store.most_under_way <= 3


def test_a_lane_that_another_process_drains_is_left_alone(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    lane = world.lane(fqn).id
    turn = world.runtime.database.write(
        lambda session: lanes.take_turn(session, lane, world.clock.now(), draining.SLICE)
    )

    second = draining.drain(world.runtime, lane)

    assert turn is not None
    assert second == draining.Drained()
    assert store.held == {}


@pytest.mark.law(6)
def test_a_worker_that_died_in_a_send_is_replaced_when_its_lease_is_over(world: World):
    fqn, store = world.store(send_limit=10)
    world.create(secret_store_config=stored(fqn))
    lane, now = world.lane(fqn).id, world.clock.now()
    turn = world.runtime.database.write(
        lambda session: lanes.take_turn(session, lane, now, draining.SLICE)
    )
    world.runtime.database.write(lambda session: claim(session, turn, now, 10))

    world.clock.pass_(seconds=21)
    too_early = world.drain()
    world.clock.pass_(seconds=2)
    in_time = world.drain()

    assert (too_early, in_time) == (0, 1)
    assert store.puts[0][1].revision == 1


@pytest.mark.law(6)
def test_one_who_lost_its_lease_settles_nothing(world: World):
    fqn, store = world.store(send_limit=1)
    world.create(secret_store_config=stored(fqn))
    lane = world.lane(fqn).id
    release = threading.Event()
    store.hang(release)
    paused = threading.Thread(target=draining.drain, args=(world.runtime, lane))
    paused.start()
    eventually(lambda: store.under_way == 1)
    now = world.clock.pass_(minutes=1)
    turn = world.runtime.database.write(
        lambda session: lanes.take_turn(session, lane, now, draining.SLICE)
    )
    world.runtime.database.write(lambda session: claim(session, turn, now, 10))

    release.set()
    paused.join(10)

    delivery = world.deliveries()[0]
    assert (delivery.state, delivery.claim) == (DeliveryState.SENDING, 2)
    assert world.places()[0].confirmed_revision == 0


@pytest.mark.law(6)
def test_one_document_is_never_sent_twice_at_a_time(world: World):
    fqn, store = world.store(send_limit=30)
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    lane = world.lane(fqn).id
    release = threading.Event()
    store.hang(release)
    first = threading.Thread(target=draining.drain, args=(world.runtime, lane))
    first.start()
    eventually(lambda: store.under_way == 1)

    tokens.rotate_account(world.runtime, world.admin, account.id)
    world.clock.pass_(seconds=40)
    world.drain()
    during = store.most_under_way
    release.set()
    first.join(10)
    world.clock.pass_(minutes=2)
    world.drain()

    assert during == 1
    assert [mark.revision for _, mark in store.puts][-1] == 2
    assert store.held["ci/token"][0].revision == 2


@pytest.mark.law(6)
def test_a_newer_revision_supersedes_what_is_pending(world: World):
    fqn, store = world.store()
    account, _ = world.create(secret_store_config=stored(fqn))

    tokens.rotate_account(world.runtime, world.admin, account.id)
    newest = tokens.rotate_account(world.runtime, world.admin, account.id)
    world.drain()

    assert [mark.revision for _, mark in store.puts] == [3]
    assert store.held["ci/token"][1] == newest.reveal()
    assert [d.state.value for d in world.deliveries(Delivery.place_id.is_not(None))] == [
        "superseded",
        "superseded",
        "done",
    ]


@pytest.mark.law(6)
def test_a_store_that_holds_a_newer_revision_is_left_alone(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    world.drain()
    mark, token = store.held["ci/token"]
    store.held["ci/token"] = (type(mark)(epoch=9, revision=1, place=mark.place), token)

    syncing.sync_now(world.runtime, world.admin, world.places()[0].account_id, force=True)
    world.drain()

    assert store.held["ci/token"][0].epoch == 9
    assert world.deliveries()[-1].state is DeliveryState.SUPERSEDED


def test_an_unexpected_error_of_a_plugin_is_retried_and_told_by_name_only(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    store.fail(RuntimeError("contains the token"))

    world.drain()

    assert world.deliveries()[0].error == "unexpected RuntimeError"
    assert world.deliveries()[0].state is DeliveryState.PENDING


def test_a_notice_is_given_up_after_three_days(world: World):
    channel_fqn, channel = world.channel()
    world.create(auto_rotate=HOURLY, notification_target=told_by(channel_fqn))
    world.clock.pass_(hours=1)
    world.rotate()
    channel.fail(Transient("down"), times=10_000)

    for _ in range(80):
        world.drain()
        world.clock.pass_(hours=1)

    notices = world.deliveries(Delivery.place_id.is_(None))
    assert notices[0].state is DeliveryState.FAILED


def test_the_same_recipient_is_told_a_fact_once_however_often_it_is_named(world: World):
    channel_fqn, channel = world.channel()
    world.create(
        auto_rotate=HOURLY,
        notification_targets=[told_by(channel_fqn), told_by(channel_fqn)],
    )
    world.clock.pass_(hours=1)

    world.rotate()
    world.drain()

    assert len(channel.notices) == 1
