"""When people are reminded of what is to come."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.durations import spoken
from core.reminders import (
    BEFORE_EXPIRY,
    BEFORE_ROTATION,
    befores,
    is_due,
    next_reminder,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def test_the_next_reminder_is_the_first_that_lies_ahead():
    rotation = (NOW + 30 * DAY, BEFORE_ROTATION)
    end = (NOW + 31 * DAY, BEFORE_EXPIRY)

    assert next_reminder(NOW, rotation) == NOW + 23 * DAY
    assert next_reminder(NOW, rotation, end) == NOW + DAY
    assert next_reminder(NOW + 23 * DAY, rotation, end) == NOW + 24 * DAY
    assert next_reminder(NOW + 24 * DAY, rotation, end) == NOW + 29 * DAY
    assert next_reminder(NOW + 30 * DAY, rotation, end) is None


def test_offsets_that_are_as_long_as_the_time_left_are_skipped():
    assert next_reminder(NOW, (NOW + 7 * DAY, BEFORE_ROTATION)) == NOW + 6 * DAY
    assert next_reminder(NOW, (NOW + DAY, BEFORE_ROTATION)) is None
    assert next_reminder(NOW, (None, BEFORE_ROTATION)) is None


def test_a_reminder_is_due_until_what_it_is_about_has_come():
    coming = (NOW + DAY, BEFORE_ROTATION)

    assert is_due(coming, NOW - DAY, NOW)
    assert is_due(coming, NOW, NOW + DAY / 2)
    assert not is_due(coming, NOW + timedelta(seconds=1), NOW + DAY / 2)
    assert not is_due(coming, NOW, NOW + DAY)
    assert not is_due((None, BEFORE_ROTATION), NOW, NOW)


def test_an_account_may_have_offsets_of_its_own_or_none():
    assert befores(None) == BEFORE_ROTATION
    assert befores([3_600]) == [timedelta(hours=1)]
    assert next_reminder(NOW, (NOW + 30 * DAY, befores([]))) is None


@given(
    end=st.integers(1, 10_000),
    offsets=st.lists(st.integers(1, 5_000), max_size=5),
    looks=st.lists(st.integers(0, 12_000), min_size=1, max_size=30),
)
def test_each_reminder_is_told_once_however_often_and_late_somebody_looks(end, offsets, looks):
    minute = timedelta(minutes=1)
    coming = (NOW + end * minute, [offset * minute for offset in offsets])
    looked = sorted(NOW + look * minute for look in looks)
    due, told = next_reminder(NOW, coming), []

    for now in looked:
        while due is not None and due <= now:
            if is_due(coming, due, now):
                told.append((due, now))
            due = next_reminder(now, coming)

    moments = sorted(coming[0] - before for before in coming[1])
    assert all(NOW < since <= now < coming[0] for since, now in told)
    for moment in {one for one in moments if one > NOW}:
        first = next((now for now in looked if now >= moment), coming[0])
        assert sum(since <= moment <= now for since, now in told) == (first < coming[0])


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (7 * DAY, "7 days"),
        (7 * DAY - timedelta(seconds=1), "7 days"),
        (timedelta(days=6, hours=23, minutes=5), "6 days 23 hours"),
        (timedelta(days=1, minutes=1), "1 day 1 minute"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=45), "45 minutes"),
        (timedelta(seconds=20), "less than a minute"),
    ],
)
def test_a_length_of_time_is_said_in_two_words(length, said):
    assert spoken(length) == said
