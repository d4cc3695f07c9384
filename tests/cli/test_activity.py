"""What `keyturn up` prints as it happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.activity import Activity
from tests.support.world import HOURLY, World, new_world, stored, told_by


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with new_world(
        f"sqlite:///{tmp_path / 'keyturn.db'}", tmp_path / "files", digest_window="60s"
    ) as made:
        yield made


def lines(activity: Activity) -> list[str]:
    """The news without their moments."""
    return [line.plain[10:] for line in activity.news()]


def test_rotations_and_copies_are_told_once_each_in_their_order(world: World):
    activity = Activity(world.runtime)
    files = world.file_store()
    world.create("ci-bot", auto_rotate=HOURLY, secret_store_configs=[stored(files)])
    world.drain()
    first = lines(activity)
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()

    assert first == [
        "created   ci-bot, generation 1",
        f"delivered ci-bot, generation 1, to {files} ci/token",
    ]
    assert [line.split(";")[0] for line in lines(activity)] == [
        "rotated   ci-bot, generation 2",
        f"delivered ci-bot, generation 2, to {files} ci/token",
    ]
    assert lines(activity) == []


def test_a_message_is_one_line_that_says_what_it_told_of_whom(world: World):
    channel, _ = world.channel()
    for name in ("a-bot", "b-bot", "c-bot", "d-bot"):
        world.create(name, auto_rotate=HOURLY, notification_targets=[told_by(channel)])
    world.clock.pass_(hours=1)
    activity = Activity(world.runtime)
    world.rotate()
    world.clock.pass_(seconds=60)
    world.drain()

    told = [line for line in lines(activity) if line.startswith("told")]

    assert told == [
        f"told      a-bot rotated; b-bot rotated; c-bot rotated and 1 more, to {channel}"
    ]
