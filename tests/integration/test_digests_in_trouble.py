"""A digest means the same when it is sent again, and goes once, whatever happens."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import DestinationRefused, PlaceRefused, Transient
from models import Delivery, DeliveryState
from services.delivery import draining
from tests.support.chat import ANN, BOB, Chat, chat_of
from tests.support.waiting import eventually
from tests.support.world import World, new_world


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """One whose channels put together what comes within a minute."""
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with new_world(url, tmp_path / "files", digest_window="60s") as made:
        yield made


@pytest.fixture
def chat(world: World) -> Chat:
    return chat_of(world)


@pytest.mark.law(10)
def test_a_crash_after_the_claim_repeats_exactly_these_rows(world: World, chat: Chat):
    chat.tell("a", "b")
    world.clock.pass_(seconds=60)
    _, (claimed,) = chat.claim()
    chat.tell("late")

    world.clock.pass_(minutes=2)
    world.drain()

    assert chat.keys == [claimed.digest_id]
    assert sorted(chat.told) == [("a", "b"), ("late",)]


@pytest.mark.law(10)
def test_a_crash_after_the_send_repeats_the_same_message_under_the_same_key(
    world: World, chat: Chat
):
    chat.tell("a", "b")
    world.clock.pass_(seconds=60)
    turn, (claimed,) = chat.claim()
    chat.send(turn, claimed)
    chat.tell("late", "later")

    world.clock.pass_(minutes=2)
    world.drain()

    first, again, other = chat.keys
    assert first == again == claimed.digest_id != other
    digests = [digest for digest, _ in chat.heard.digests]
    assert digests[0] == digests[1]
    assert chat.told[2] == ("late", "later")
    assert {row.state for row in world.deliveries()} == {DeliveryState.DONE}


@pytest.mark.law(10)
def test_one_that_went_alone_is_alone_again_after_a_crash(world: World, chat: Chat):
    chat.tell("a")
    world.clock.pass_(seconds=60)
    turn, (claimed,) = chat.claim()
    chat.send(turn, claimed)
    chat.tell("b", "c")

    world.clock.pass_(minutes=2)
    world.drain()

    assert [notice.key for notice, _ in chat.heard.notices] == [claimed.id, claimed.id]
    assert chat.told == [("a",), ("a",), ("b", "c")]


@pytest.mark.law(10)
def test_a_lost_answer_repeats_the_same_message_under_the_same_key(world: World, chat: Chat):
    chat.tell("a", "b")
    world.clock.pass_(seconds=60)
    chat.heard.lose_answer(Transient("lost"))
    world.drain()
    chat.tell("c")
    failures = {row.failures for row in world.deliveries(Delivery.digest_id.is_not(None))}

    world.clock.pass_(seconds=30)
    world.drain()

    assert failures == {1}
    assert chat.told == [("a", "b"), ("a", "b")]
    assert len(set(chat.keys)) == 1


@pytest.mark.law(10)
def test_who_lost_its_lease_settles_no_part_of_a_digest(world: World, chat: Chat):
    release = threading.Event()
    chat.tell("a", "b")
    world.clock.pass_(seconds=60)
    chat.heard.hang(release)
    paused = threading.Thread(target=draining.drain, args=(world.runtime, chat.lane_id))
    paused.start()
    eventually(lambda: chat.heard.under_way == 1)
    world.clock.pass_(minutes=5)
    chat.claim()

    release.set()
    paused.join(10)

    rows = world.deliveries()
    assert {(row.state, row.claim) for row in rows} == {(DeliveryState.SENDING, 2)}


def test_a_refused_address_fails_all_of_a_digest_and_nobody_elses(world: World, chat: Chat):
    chat.heard.at_path[ANN] = PlaceRefused("no such person")
    chat.tell("a", "b")
    chat.tell("a", "b", to=BOB)

    world.clock.pass_(seconds=60)
    world.drain()

    states = {(row.address, row.state) for row in world.deliveries()}
    assert states == {(ANN, DeliveryState.FAILED), (BOB, DeliveryState.DONE)}
    assert {row.error for row in world.deliveries(Delivery.address == ANN)} == {"no such person"}


def test_a_digest_counts_once_against_its_lane(world: World, chat: Chat):
    chat.heard.fail(DestinationRefused("wrong token"))
    chat.tell("a", "b", "c", "d")

    world.clock.pass_(seconds=60)
    world.drain()

    assert chat.lane.refusals == 1


def test_a_digest_is_given_up_three_days_after_the_newest_of_it(world: World, chat: Chat):
    chat.tell("a")
    world.clock.pass_(seconds=30)
    chat.tell("b")
    chat.heard.fail(Transient("down"), times=10_000)

    for _ in range(80):
        world.clock.pass_(hours=1)
        world.drain()

    assert {row.state for row in world.deliveries()} == {DeliveryState.FAILED}


def test_what_was_never_sent_is_free_for_a_larger_digest(world: World, chat: Chat):
    chat.change(concurrency=1, quota_key=None)
    for number in range(8):
        chat.tell("a", "b", to=f"person-{number}")
    world.clock.pass_(seconds=60)
    chat.heard.fail(Transient("down"), times=5)
    world.drain()

    begun = world.deliveries(Delivery.digest_id.is_not(None))
    waiting = world.deliveries(Delivery.digest_id.is_(None))

    assert (len(begun), len(waiting)) == (10, 6)
    assert {row.failures for row in begun} == {1}


@pytest.mark.law(11)
def test_while_a_channel_is_down_few_digests_are_begun(world: World, chat: Chat):
    chat.heard.fail(Transient("down"), times=10_000)
    for number in range(120):
        chat.tell(f"bot-{number:03}")
        world.clock.pass_(minutes=6)
        world.drain()
    begun = {row.digest_id for row in world.deliveries() if row.digest_id}

    chat.heard.steps.clear()
    for _ in range(5):
        world.clock.pass_(minutes=6)
        world.drain()

    assert 5 <= len(begun) <= 16
    assert len(chat.told) <= len(begun) + 1
    assert sorted(name for names in chat.told for name in names) == [
        f"bot-{number:03}" for number in range(120)
    ]


@pytest.mark.law(8)
def test_two_drains_that_race_send_everything_once(world: World, chat: Chat):
    rounds = 5
    for number in range(rounds):
        for person in range(20):
            chat.tell(f"{number}-a", f"{number}-b", to=f"person-{person}")
        world.clock.pass_(seconds=60)
        start = threading.Barrier(3)
        racers = [threading.Thread(target=_race, args=(world, chat, start)) for _ in range(3)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(60)
        world.clock.pass_(minutes=1)
        world.drain()

    assert len(chat.heard.digests) == rounds * 20
    assert len(set(chat.keys)) == rounds * 20
    assert {row.state for row in world.deliveries()} == {DeliveryState.DONE}
    assert max(row.claim for row in world.deliveries()) == 1


def _race(world: World, chat: Chat, start: threading.Barrier) -> None:
    start.wait(10)
    for _ in range(3):
        draining.drain(world.runtime, chat.lane_id)
