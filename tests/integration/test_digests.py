"""Notices to one recipient go together, once, and mean the same when they are sent again."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from keyturn_test_plugins import scripted
from sqlalchemy import select, update

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.events import EventType
from models import Delivery, DeliveryState, Integration, Lane
from services import draining, lanes
from services.claimed import Claimed
from services.claiming import claim
from services.sending import send
from tests.support.waiting import eventually
from tests.support.world import World, new_world, told_by

ANN, BOB = "ann", "bob"


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """One whose channels put together what comes within a minute."""
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with new_world(url, tmp_path / "files", digest_window="60s") as made:
        yield made


@dataclass(frozen=True)
class To:
    """Somebody on the channel of a test."""

    tenant_id: UUID
    lane_id: UUID
    address: str


@dataclass
class Chat:
    """A channel, and what is told on it."""

    world: World
    lane_id: UUID
    heard: scripted.Store

    def tell(
        self, *names: str, event: EventType = EventType.TOKEN_ROTATED, to: str = ANN, **facts: Any
    ) -> None:
        """One fact about each of these accounts, in one commit."""
        target = To(self.world.tenant_id, self.lane_id, to)
        self.world.runtime.change(
            lambda _, outbox: [
                outbox.tell(
                    target.tenant_id, event, facts={"account": name, **facts}, targets=[target]
                )
                for name in names
            ]
        )

    def claim(self, most: int = 10) -> tuple[lanes.Turn, list[Claimed]]:
        """As a drain does that dies after it."""
        now = self.world.clock.now()
        database = self.world.runtime.database
        turn = database.write(
            lambda session: lanes.take_turn(session, self.lane_id, now, draining.SLICE)
        )
        assert turn is not None
        return turn, list(
            database.write(lambda session: claim(session, turn, now, most)).deliveries
        )

    def send(self, turn: lanes.Turn, claimed: Claimed) -> None:
        """As a drain does that dies after it."""
        plugin = self.world.runtime.opened.plugin(turn.integration)
        start_by = self.world.clock.elapsed() + 1
        send(self.world.runtime, turn, plugin, claimed, 1, start_by)

    @property
    def lane(self) -> Lane:
        with self.world.runtime.database.reading() as session:
            return session.scalars(select(Lane).where(Lane.id == self.lane_id)).one()

    @property
    def told(self) -> list[tuple[str, ...]]:
        """Each message as the accounts that it names, in the order in which they came."""
        alone = [(notice.facts["account"],) for notice, _ in self.heard.notices]
        return alone + [
            tuple(notice.facts["account"] for notice in digest.notices)
            for digest, _ in self.heard.digests
        ]

    @property
    def keys(self) -> list[UUID]:
        return [digest.key for digest, _ in self.heard.digests]

    def change(self, **values: Any) -> None:
        """What a plugin of another kind would be paced at."""
        self.world.runtime.database.write(
            lambda session: session.execute(
                update(Lane).where(Lane.id == self.lane_id).values(**values)
            )
        )


def chat_of(world: World) -> Chat:
    fqn, heard = world.channel()
    world.create("listened-to", notification_target=told_by(fqn, to=[ANN]))
    with world.runtime.database.reading() as session:
        lane_id = session.scalars(
            select(Lane.id)
            .join(Integration, Integration.id == Lane.integration_id)
            .where(Integration.fqn == fqn)
        ).one()
    return Chat(world, lane_id, heard)


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
