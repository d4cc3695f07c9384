"""The drawing of an account's life, without a browser or a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.timeline import WIDTH, Dot, Lane, Life, Phase, timeline
from console.timeline_scale import Scale

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def life(generation: int, *, minted: float, **hours: float) -> Life:
    """A generation; its moments are hours before (or after) now."""
    moments = {name: NOW + at * HOUR for name, at in hours.items()}
    return Life(generation, NOW + minted * HOUR, words=f"Generation {generation}", **moments)


def phases(bar) -> list[Phase]:
    return [part.phase for part in bar.segments]


def test_the_current_generation_is_drawn_to_now_and_planned_to_its_rotation():
    drawn = timeline([life(1, minted=-6)], [], now=NOW, next_rotation=NOW + 6 * HOUR)

    (bar,) = drawn.bars
    current, planned = bar.segments
    assert phases(bar) == [Phase.CURRENT, Phase.PLANNED]
    assert current.x + current.width == drawn.now_x == planned.x
    assert planned.x + planned.width == drawn.next_x
    assert bar.is_alive


def test_a_predecessor_shows_its_time_its_grace_and_its_hold():
    old = life(1, minted=-12, superseded=-6, grace_until=-4, ends=-1)

    drawn = timeline([old, life(2, minted=-6)], [], now=NOW)

    newest, oldest = drawn.bars
    assert (newest.generation, oldest.generation) == (2, 1)
    assert phases(oldest) == [Phase.CURRENT, Phase.GRACE, Phase.HOLD]
    assert not oldest.is_alive
    current, grace, hold = oldest.segments
    assert (current.x + current.width, grace.x + grace.width) == (grace.x, hold.x)
    assert current.width == pytest.approx(3 * grace.width, abs=0.5)
    assert hold.width == pytest.approx(1.5 * grace.width, abs=0.5)


def test_one_without_a_hold_has_none():
    old = life(1, minted=-12, superseded=-6, grace_until=-4, ends=-4)

    drawn = timeline([old, life(2, minted=-6)], [], now=NOW)

    assert phases(drawn.bars[1]) == [Phase.CURRENT, Phase.GRACE]


def test_a_grace_that_goes_on_reaches_beyond_now():
    old = life(1, minted=-12, superseded=-1, grace_until=3, ends=3)

    drawn = timeline([old, life(2, minted=-1)], [], now=NOW)

    bar = drawn.bars[1]
    assert bar.is_alive
    assert bar.x < drawn.now_x < bar.x + bar.width


def test_what_was_revoked_ends_with_a_cross():
    old = Life(1, NOW - 5 * HOUR, ends=NOW - 2 * HOUR, is_revoked=True)

    drawn = timeline([old], [], now=NOW)

    (bar,) = drawn.bars
    assert bar.revoked_x == bar.x + bar.width
    assert not bar.is_alive


def test_a_rotation_far_away_is_said_instead_of_drawn():
    drawn = timeline([life(1, minted=-6)], [], now=NOW, next_rotation=NOW + timedelta(days=300))

    assert drawn.next_x is None
    assert drawn.is_next_beyond


def test_an_account_of_this_moment_can_be_drawn():
    drawn = timeline([life(1, minted=0)], [], now=NOW, next_rotation=NOW + 12 * HOUR)

    assert drawn.next_x is not None
    assert drawn.bars[0].width > 0


def test_deliveries_are_marks_on_their_lane_failures_above_the_rest():
    dots = [
        Dot(NOW - HOUR, "failed", "refused"),
        Dot(NOW - HOUR / 2, "done", "there"),
        Dot(NOW - timedelta(days=900), "done", "long ago"),
    ]

    drawn = timeline([life(1, minted=-6)], [Lane("vault ci/token", dots)], now=NOW)

    (row,) = drawn.rows
    assert [mark.outcome for mark in row.marks] == ["done", "failed"]
    assert row.marks[0].x > row.marks[1].x


def test_a_long_name_is_cut_and_kept_whole_beside_it():
    name = "vault-production secret/checkout/api"

    (row,) = timeline([life(1, minted=-6)], [Lane(name, [])], now=NOW).rows

    assert row.label == "vault-production secret/c…"
    assert row.name == name


hours = st.floats(min_value=0, max_value=10_000, allow_nan=False)


@st.composite
def accounts(draw):
    """Any past: generations that follow each other, each ending as it will."""
    minted = NOW - draw(hours) * HOUR
    lives = []
    for generation in range(1, draw(st.integers(1, 8)) + 1):
        superseded = minted + draw(hours) * HOUR
        grace_until = superseded + draw(hours) * HOUR
        ends = draw(st.one_of(st.none(), st.just(grace_until + draw(hours) * HOUR)))
        lives.append(Life(generation, minted, superseded, grace_until, ends, draw(st.booleans())))
        minted = superseded
    newest = lives[-1]
    lives[-1] = Life(newest.generation, newest.minted, ends=newest.ends)
    due = draw(st.one_of(st.none(), hours.map(lambda one: NOW + one * HOUR)))
    dots = [Dot(NOW + draw(st.floats(-9_000, 9_000)) * HOUR, "done", "") for _ in range(3)]
    return lives, [Lane("a lane", dots)], due


@given(accounts())
def test_whatever_an_account_has_lived_through_fits_the_picture(account):
    lives, lanes, due = account

    drawn = timeline(lives, lanes, now=NOW, next_rotation=due)

    assert len(drawn.bars) == len(lives)
    assert [bar.generation for bar in drawn.bars] == sorted(
        (one.generation for one in lives), reverse=True
    )
    for bar in drawn.bars:
        assert drawn.left <= bar.x
        assert bar.x + bar.width <= drawn.right + 2.5
        assert all(part.width >= 0 for part in bar.segments)
        ends = [part.x + part.width for part in bar.segments]
        starts = [part.x for part in bar.segments]
        assert starts == sorted(starts)
        assert all(abs(end - start) < 0.2 for end, start in zip(ends, starts[1:], strict=False))
    for row in drawn.rows:
        assert all(drawn.left <= mark.x <= drawn.right for mark in row.marks)
    assert drawn.left <= drawn.now_x <= drawn.right < WIDTH
    assert 1 <= len(drawn.ticks) <= 11
    assert drawn.height > max(bar.y for bar in drawn.bars)


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001
    st.timedeltas(min_value=timedelta(minutes=2), max_value=timedelta(days=4_000)),
)
def test_moments_are_in_their_order_and_named_at_round_ones(start, length):
    begins = start.replace(tzinfo=UTC)
    scale = Scale(begins, begins + length, 100.0, 900.0)

    xs = [scale.x(begins + length * share / 10) for share in range(11)]
    ticks = list(scale.ticks())

    assert xs == sorted(xs)
    assert (xs[0], xs[-1]) == (100.0, 900.0)
    assert len(ticks) <= 11
    assert all(100 <= tick.x <= 900 for tick in ticks)
    assert [tick.x for tick in ticks] == sorted(tick.x for tick in ticks)
