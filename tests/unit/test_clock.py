import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from core.clock import AnchoredClock, HostClock, boot_seconds

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass
class Boot:
    """Seconds since boot, moved by hand."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_an_anchored_clock_begins_at_the_databases_time():
    clock = AnchoredClock(NOON, Boot())

    assert clock.now() == NOON


def test_an_anchored_clock_goes_on_by_the_seconds_since_boot_alone():
    boot = Boot()
    clock = AnchoredClock(NOON, boot)

    boot.seconds += 90

    assert clock.now() == NOON + timedelta(seconds=90)


def test_an_anchored_clock_follows_the_databases_next_reading():
    boot = Boot()
    clock = AnchoredClock(NOON, boot)
    boot.seconds += 10

    clock.follow(NOON + timedelta(minutes=5))

    assert clock.now() == NOON + timedelta(minutes=5)
    boot.seconds += 1
    assert clock.now() == NOON + timedelta(minutes=5, seconds=1)


def test_an_anchored_clock_reports_how_far_a_reading_was_ahead():
    boot = Boot()
    clock = AnchoredClock(NOON, boot)
    boot.seconds += 10

    assert clock.follow(NOON + timedelta(seconds=73)) == timedelta(seconds=63)


def test_an_anchored_clock_reports_how_far_a_reading_was_behind():
    boot = Boot()
    clock = AnchoredClock(NOON, boot)
    boot.seconds += 10

    assert clock.follow(NOON) == timedelta(seconds=-10)


def test_a_reading_that_agrees_is_no_drift():
    boot = Boot()
    clock = AnchoredClock(NOON, boot)
    boot.seconds += 10

    assert clock.follow(NOON + timedelta(seconds=10)) == timedelta(0)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**6), 10**6)), max_size=20))
def test_drifts_add_up_to_the_difference_of_the_two_clocks(steps: list[tuple[int, int]]):
    boot = Boot()
    clock = AnchoredClock(NOON, boot)
    database, drifts = NOON, timedelta(0)

    for passed, jumped in steps:
        boot.seconds += passed
        database += timedelta(seconds=passed + jumped)
        drifts += clock.follow(database)

    assert drifts == timedelta(seconds=sum(jumped for _, jumped in steps))
    assert clock.now() == database


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has this clock")
def test_the_seconds_since_boot_count_a_suspended_machines_sleep():
    assert boot_seconds() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=10)


def test_the_time_elapsed_only_grows():
    clock = HostClock()

    first, second = clock.elapsed(), clock.elapsed()

    assert first <= second


def test_both_clocks_answer_in_utc():
    assert HostClock().now().tzinfo is UTC
    assert AnchoredClock(NOON).now().tzinfo is UTC


def test_the_host_clock_is_the_hosts():
    before = datetime.now(UTC)

    assert before <= HostClock().now() <= datetime.now(UTC)


def test_waiting_for_a_moment_that_is_over_ends_at_once():
    stop = threading.Event()

    assert not AnchoredClock(NOON, Boot()).wait_until(NOON - timedelta(days=1), stop)


def test_waiting_ends_as_soon_as_it_is_told_to_stop():
    stop = threading.Event()
    stop.set()

    assert AnchoredClock(NOON, Boot()).wait_until(NOON + timedelta(days=1), stop)
    assert HostClock().wait_until(HostClock().now() + timedelta(days=1), stop)


def test_waiting_for_a_moment_ahead_waits_that_long():
    clock = HostClock()
    moment = clock.now() + timedelta(milliseconds=30)

    stopped = clock.wait_until(moment, threading.Event())

    assert not stopped
    assert clock.now() >= moment


@pytest.mark.law(13)
def test_a_hosts_stepped_wall_clock_moves_the_host_clock_but_not_an_anchored_one():
    with freeze_time(NOON, ignore=["truefoundry_sdk", "kubernetes"]) as wall:
        boot = Boot()
        host, anchored = HostClock(), AnchoredClock(HostClock().now(), boot)

        wall.move_to(NOON + timedelta(hours=5))
        boot.seconds += 1

        assert host.now() == NOON + timedelta(hours=5)
        assert anchored.now() == NOON + timedelta(seconds=1)
