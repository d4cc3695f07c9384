from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import AnchoredClock
from models import AuditRow, Process
from services.operation.pulse import Pulse, trust_clock
from tests.support.manual_clock import START
from tests.support.postgres import Postgres
from tests.support.world import HOURLY, World, new_world
from workers.crew import Crew


class Elapsed:
    """Seconds since boot, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.law(13)
def test_hosts_that_disagree_go_by_the_databases_clock():
    elapsed = Elapsed()
    clock = AnchoredClock(START, elapsed)

    elapsed.seconds += 5

    assert clock.now() == START + timedelta(seconds=5)
    assert clock.follow(START + timedelta(seconds=7)) == timedelta(seconds=2)
    assert clock.now() == START + timedelta(seconds=7)


@pytest.fixture
def stepped(tmp_path: Path) -> Iterator[tuple[World, Postgres]]:
    """A world on a PostgreSQL whose clock a test can step."""
    with (
        Postgres(clock_file=tmp_path / "clock") as server,
        new_world(server.create_database("keyturn"), tmp_path / "files") as world,
    ):
        world.runtime.clock = AnchoredClock(world.runtime.database.now())
        yield world, server


@pytest.mark.law(13)
def test_a_step_of_the_databases_clock_mints_and_expires_nothing_until_it_is_trusted(
    stepped: tuple[World, Postgres],
):
    world, server = stepped
    account, old = world.create(auto_rotate=HOURLY)
    pulse = Pulse(world.runtime, "worker")
    crew = Crew(world.runtime, pulse)
    pulse.beat()

    server.set_clock(timedelta(days=30))
    pulse.beat()
    crew.rotate()
    crew.expire()
    generation_while_distrusted = world.fresh(account).generation
    trust_clock(world.runtime, "tester")
    pulse.beat()
    crew.rotate()

    assert generation_while_distrusted == 1
    assert "clock.trusted" in [row.action for row in world.rows(AuditRow)]
    assert len(world.told("clock.jumped")) == 1
    assert world.fresh(account).generation == 2
    assert world.works(old)


@pytest.mark.law(13)
def test_a_step_back_neither_rotates_again_nor_ends_anything(stepped: tuple[World, Postgres]):
    world, server = stepped
    account, _ = world.create(auto_rotate=HOURLY)
    pulse = Pulse(world.runtime, "worker")
    crew = Crew(world.runtime, pulse)
    pulse.beat()

    server.set_clock(timedelta(hours=-5))
    pulse.beat()
    trust_clock(world.runtime, "tester")
    pulse.beat()
    crew.rotate()
    crew.expire()

    assert world.fresh(account).generation == 1
    assert len(world.told("clock.jumped")) == 1


def test_a_small_drift_is_followed_without_a_word(stepped: tuple[World, Postgres]):
    world, server = stepped
    pulse = Pulse(world.runtime, "worker")
    pulse.beat()

    server.set_clock(timedelta(seconds=20))
    pulse.beat()

    assert pulse.trusts_clock()
    assert abs(world.runtime.now() - world.runtime.database.now()) < timedelta(seconds=1)


def test_a_process_that_stops_takes_its_heartbeat_away(world: World):
    pulse = Pulse(world.runtime, "worker")
    pulse.start()
    during = [row.kind for row in world.rows(Process)]

    pulse.stop()

    assert during == ["worker"]
    assert world.rows(Process) == []
