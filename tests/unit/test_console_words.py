from datetime import UTC, datetime, timedelta

import pytest

from console import words

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(seconds=0), "now"),
        (timedelta(seconds=30), "in 30 seconds"),
        (timedelta(seconds=-1), "1 second ago"),
        (timedelta(minutes=90), "in 2 hours"),
        (timedelta(hours=-30), "1 day ago"),
        (timedelta(days=45), "in 2 months"),
        (timedelta(days=-800), "2 years ago"),
        (timedelta(microseconds=5), "in a moment"),
    ],
)
def test_a_moment_is_told_as_people_think_of_it(length: timedelta, expected: str):
    assert words.relative(NOW + length, NOW) == expected


def test_the_exact_moment_is_at_hand():
    assert words.when(NOW - timedelta(hours=3), NOW) == (
        '<time datetime="2026-03-02T06:00:00+00:00" title="2 Mar 2026, 06:00 UTC">'
        "3 hours ago</time>"
    )
    assert words.when(None, NOW) == "never"


def test_things_are_counted_in_words():
    assert words.count(1, "copy", "copies") == "1 copy"
    assert words.count(2_000, "copy", "copies") == "2,000 copies"
    assert words.count(0, "account") == "0 accounts"
