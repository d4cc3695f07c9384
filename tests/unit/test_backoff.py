from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import backoff

failures = st.integers(-5, 10**6)


@given(failures)
def test_a_wait_is_between_a_second_and_five_minutes(count: int):
    assert timedelta(seconds=1) <= backoff.wait(count) <= timedelta(minutes=5)


@pytest.mark.parametrize(
    ("count", "least", "most"),
    [
        (0, 1, 2),
        (1, 1, 2),
        (2, 2, 4),
        (3, 4, 8),
        (8, 128, 256),
        (9, 150, 300),
        (1000, 150, 300),
    ],
)
def test_the_wait_doubles_to_its_cap_and_is_jittered_by_half(count: int, least: int, most: int):
    waits = [backoff.wait(count).total_seconds() for _ in range(200)]

    assert least <= min(waits) <= max(waits) <= most


def test_destinations_that_fail_together_are_not_tried_together():
    waits = {backoff.wait(5) for _ in range(50)}

    assert len(waits) > 40


@given(failures)
def test_what_the_destination_asked_for_is_kept_whatever_the_cap(count: int):
    assert backoff.wait(count, at_least=timedelta(hours=1)) == timedelta(hours=1)


@given(failures)
def test_a_shorter_wish_of_the_destination_does_not_hasten_the_next_try(count: int):
    assert backoff.wait(count, at_least=timedelta(milliseconds=1)) >= timedelta(seconds=1)


@given(failures)
def test_no_wish_is_no_wish(count: int):
    assert backoff.wait(count, at_least=timedelta(0)) <= timedelta(minutes=5)
