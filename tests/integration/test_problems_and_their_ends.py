"""What is told of a problem and of its end agrees in what the problem is about."""

import pytest

from core.errors import DestinationRefused, Transient
from models import LaneState
from notifiers.base import Notice
from notifiers.pagerduty_events import events
from services.integrations import integrations
from tests.support.world import HOURLY, World, stored, told_by


def alerts(notices: list[tuple[Notice, str]]) -> list[tuple[str, str]]:
    """Each alert event that PagerDuty would get: its action, and the alert's key."""
    return [
        (event.document["event_action"], event.document["dedup_key"])
        for notice, _ in notices
        for event in events(notice)
        if "dedup_key" in event.document
    ]


def outlast(world: World, **length: float) -> None:
    """Time passes, and what is due is sent, again and again."""
    for _ in range(6):
        world.clock.pass_(**length)
        world.drain()


@pytest.mark.law(10)
def test_a_resumed_lane_is_told_to_those_who_heard_that_it_was_paused(world: World):
    fqn, store = world.store(concurrency=1)
    channel_fqn, channel = world.channel()
    for number in range(3):
        world.create(
            f"bot-{number}",
            secret_store_config=stored(fqn, f"bots/{number}"),
            notification_target=told_by(channel_fqn),
        )
    store.fail(DestinationRefused("wrong credentials"), times=3)
    world.drain()

    integrations.resume_lane(world.runtime, world.admin, world.lane(fqn).id)
    world.drain()

    assert world.lane(fqn).state is LaneState.OPEN
    assert [notice.type.value for notice, _ in channel.notices] == ["lane.paused", "lane.resumed"]
    (paused, opened), (resumed, ended) = alerts(channel.notices)
    assert (paused, resumed) == ("trigger", "resolve")
    assert opened == ended


def test_two_stores_of_one_kind_have_alerts_of_their_own(world: World):
    channel_fqn, channel = world.channel()
    found = [world.store(f"vault-{number}", concurrency=1) for number in range(2)]
    for number, (fqn, store) in enumerate(found):
        for bot in range(3):
            world.create(
                f"bot-{number}-{bot}",
                secret_store_config=stored(fqn, f"bots/{bot}"),
                notification_target=told_by(channel_fqn),
            )
        store.fail(DestinationRefused("wrong credentials"), times=3)
    world.drain()

    integrations.resume_lane(world.runtime, world.admin, world.lane(found[0][0]).id)
    world.drain()

    told = alerts(channel.notices)
    assert [action for action, _ in told] == ["trigger", "trigger", "resolve"]
    assert len({key for _, key in told}) == 2


@pytest.mark.law(10)
def test_a_store_that_recovers_ends_its_own_problem_and_no_other_places(world: World):
    channel_fqn, channel = world.channel()
    (good, _), (bad, store) = world.store("good"), world.store("bad")
    store.fail(Transient("down"), times=4)
    world.create(
        auto_rotate=HOURLY,
        secret_store_configs=[stored(good, "same/path"), stored(bad, "same/path")],
        notification_target=told_by(channel_fqn),
    )

    outlast(world, minutes=5)

    told = [notice.type.value for notice, _ in channel.notices]
    assert [it for it in told if it.startswith("sync")] == ["sync.failed", "sync.recovered"]
    sync = [(action, key) for action, key in alerts(channel.notices) if "/sync/" in key]
    assert [action for action, _ in sync] == ["trigger", "resolve"]
    assert len({key for _, key in sync}) == 1
    named = {n.facts["integration"] for n, _ in channel.notices if n.type.value.startswith("sync")}
    assert named == {bad}


@pytest.mark.law(10)
def test_a_grace_that_was_held_ends_with_its_own_token(world: World):
    channel_fqn, channel = world.channel()
    fqn, store = world.store()
    world.create(
        auto_rotate=HOURLY,
        secret_store_config=stored(fqn),
        notification_target=told_by(channel_fqn),
    )
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    store.fail(Transient("down"), times=3)
    world.drain()
    world.clock.pass_(minutes=11)
    world.tell()
    for _ in range(8):
        world.clock.pass_(minutes=2)
        world.drain()
        world.expire()
    world.drain()

    grace = [(action, key) for action, key in alerts(channel.notices) if "/grace/" in key]
    assert [action for action, _ in grace] == ["trigger", "resolve"]
    assert len({key for _, key in grace}) == 1
