"""Notices to one recipient go together, the worst first, and what is urgent waits for nothing."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.events import EventType
from models import Delivery, DeliveryState, Lane
from tests.support.chat import ANN, BOB, Chat, chat_of
from tests.support.world import World, new_world, told_by


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


def test_notices_wait_for_the_end_of_their_window_and_go_as_one(world: World, chat: Chat):
    chat.tell("a", "b", "c")

    world.clock.pass_(seconds=59)
    early = world.drain()
    world.clock.pass_(seconds=1)
    sent = world.drain()

    assert (early, sent) == (0, 1)
    assert chat.told == [("a", "b", "c")]
    assert {row.state for row in world.deliveries()} == {DeliveryState.DONE}


def test_nobody_looks_at_the_lane_before_its_window_ends(world: World, chat: Chat):
    bell = world.runtime.bell
    bell.lanes.clear()

    chat.tell("a")

    assert bell.lanes == []
    assert world.due_lanes() == []
    assert chat.lane.wake_at == world.clock.now() + timedelta(seconds=60)


def test_the_first_notice_opens_the_window_and_what_follows_goes_with_it(world: World, chat: Chat):
    chat.tell("a")
    world.clock.pass_(seconds=50)
    chat.tell("b")

    world.clock.pass_(seconds=10)
    world.drain()

    assert chat.told == [("a", "b")]


def test_one_alone_is_a_notice_under_its_own_key(world: World, chat: Chat):
    chat.tell("a")

    world.clock.pass_(seconds=60)
    world.drain()

    (row,) = world.deliveries()
    assert chat.told == [("a",)]
    assert [notice.key for notice, _ in chat.heard.notices] == [row.id]
    assert row.digest_id == row.id


def test_a_critical_notice_goes_at_once_and_alone(world: World, chat: Chat):
    chat.tell("a", "b")
    chat.tell("bad", event=EventType.ROTATION_FAILED)

    world.drain()

    assert chat.told == [("bad",)]
    world.clock.pass_(seconds=60)
    world.drain()
    assert chat.told == [("bad",), ("a", "b")]


def test_several_critical_ones_go_together_but_wait_for_nothing(world: World, chat: Chat):
    chat.tell("x", "y", event=EventType.ROTATION_FAILED)
    chat.tell("a")

    world.drain()

    assert chat.told == [("x", "y")]


def test_a_critical_one_goes_first_when_all_of_it_is_due(world: World, chat: Chat):
    chat.change(concurrency=1)
    order: list[str] = []
    chat.tell("a", "b")
    world.clock.pass_(seconds=60)
    chat.tell("bad", event=EventType.ROTATION_FAILED)
    chat.heard.steps += [
        lambda: order.append(f"{len(chat.heard.notices)} {len(chat.heard.digests)}")
    ] * 2

    world.drain()

    assert order == ["0 0", "1 0"]


def test_an_invitation_is_no_part_of_a_digest_and_goes_at_once(world: World, chat: Chat):
    chat.tell("a", "b")
    chat.tell("eve", "mia", event=EventType.USER_INVITED)

    rows = world.deliveries(Delivery.due_at <= world.clock.now())
    world.drain()
    world.clock.pass_(seconds=60)
    world.drain()

    assert len(rows) == 2
    assert chat.told == [("a", "b")]  # an invitation without a link is refused
    assert {row.state for row in rows} == {DeliveryState.PENDING}
    assert len({row.digest_id for row in world.deliveries()}) == 3


def test_every_recipient_has_digests_of_their_own(world: World, chat: Chat):
    chat.tell("a", "b")
    chat.tell("a", "c", to=BOB)

    world.clock.pass_(seconds=60)
    world.drain()

    assert sorted((address, len(digest.notices)) for digest, address in chat.heard.digests) == [
        (ANN, 2),
        (BOB, 2),
    ]


def test_the_worst_comes_first(world: World, chat: Chat):
    chat.tell("a", "b")
    world.clock.pass_(seconds=1)
    chat.tell("z", event=EventType.SYNC_FAILED)

    world.clock.pass_(seconds=60)
    world.drain()

    assert chat.told == [("z", "a", "b")]


def test_a_digest_has_an_end_and_the_worst_are_in_the_first(world: World, chat: Chat):
    chat.change(most_in_digest=3, concurrency=1)
    chat.tell(*"abcde")
    chat.tell("z", event=EventType.SYNC_FAILED)

    world.clock.pass_(seconds=60)
    world.drain()

    assert [len(names) for names in chat.told] == [3, 3]
    assert chat.told[0][0] == "z"
    assert sorted(name for names in chat.told for name in names) == list("abcdez")


def test_a_channel_without_digests_is_told_at_once_and_one_by_one(world: World, chat: Chat):
    chat.change(most_in_digest=1)
    chat.tell("a", "b")

    world.drain()

    assert sorted(chat.told) == [("a",), ("b",)]


def test_without_a_window_nothing_is_put_together(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with new_world(url, tmp_path / "files", digest_window="0s") as world:
        chat = chat_of(world)
        chat.tell("a", "b")

        world.drain()

        assert sorted(chat.told) == [("a",), ("b",)]


@pytest.mark.law(11)
def test_a_digest_costs_the_limit_one_message(world: World):
    fqn, heard = world.channel()
    world.create("bot", notification_target=told_by(fqn, to=[ANN]))
    lane = world.lane(fqn)
    chat = Chat(world, lane.id, heard)
    chat.tell(*(f"bot-{number}" for number in range(100)))
    chat.tell(*(f"bot-{number}" for number in range(100)), to=BOB)
    world.runtime.database.write(
        lambda session: session.execute(
            update(Lane).where(Lane.id == lane.id).values(per_second=1.0, concurrency=1)
        )
    )

    started = world.clock.pass_(seconds=60)
    world.drain()

    assert [len(names) for names in chat.told] == [100, 100]
    assert world.clock.now() - started <= timedelta(seconds=6)
