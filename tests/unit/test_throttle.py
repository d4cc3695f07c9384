"""How often something may happen to each of many keys."""

from hypothesis import given, settings
from hypothesis import strategies as st

from core.throttle import Recent, Throttle


def throttle(most: int = 3, capacity: int = 100) -> Throttle:
    return Throttle(most=most, period=60, capacity=capacity)


def happen(limit: Throttle, key: str, now: float) -> bool:
    """Whether it was allowed; what is refused does not happen."""
    if limit.wait(key, now) > 0:
        return False
    limit.count(key, now)
    return True


def test_as_many_as_allowed_may_happen_at_once_and_no_more():
    limit = throttle()

    assert [happen(limit, "a", 5) for _ in range(5)] == [True, True, True, False, False]


def test_a_step_later_one_more_may_happen():
    limit = throttle()
    for _ in range(3):
        limit.count("a", 0)

    assert limit.wait("a", 0) == 20
    assert limit.wait("a", 19) == 1
    assert [happen(limit, "a", 20), happen(limit, "a", 20)] == [True, False]


def test_a_period_later_all_is_forgotten():
    limit = throttle()
    for _ in range(3):
        limit.count("a", 0)

    assert [happen(limit, "a", 60) for _ in range(4)] == [True, True, True, False]


def test_keys_do_not_count_against_each_other():
    limit = throttle(most=1)
    limit.count("a", 0)

    assert (limit.wait("a", 0) > 0, limit.wait("b", 0)) == (True, 0)


def test_what_happened_in_spite_of_the_limit_is_never_held_against_anybody_for_longer():
    limit = throttle()
    for _ in range(1_000):
        limit.count("a", 0)

    assert limit.wait("a", 0) == 20


def test_only_so_many_keys_are_kept_and_those_that_were_quiet_for_longest_go():
    limit = throttle(most=1, capacity=2)
    for key, now in [("a", 0), ("b", 1), ("a", 2), ("c", 3)]:
        limit.count(key, now)

    assert len(limit) == 2
    assert [limit.wait(key, 3) > 0 for key in "abc"] == [True, False, True]


@settings(derandomize=True, max_examples=200)
@given(
    most=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 30, allow_nan=False), max_size=200),
)
def test_no_period_ever_sees_more_than_twice_what_is_allowed(most: int, gaps: list[float]):
    limit, now, happened = throttle(most), 0.0, []
    for gap in gaps:
        now += gap
        if happen(limit, "a", now):
            happened.append(now)

    for start in happened:
        assert sum(start <= at < start + 60 for at in happened) <= 2 * most


@settings(derandomize=True, max_examples=100)
@given(most=st.integers(1, 1_000), now=st.floats(0, 1e9), waits=st.integers(1, 20))
def test_whoever_waits_as_long_as_told_is_allowed(most: int, now: float, waits: int):
    limit = throttle(most)
    for _ in range(most):
        limit.count("a", now)
    for _ in range(waits):
        now += limit.wait("a", now)

        assert happen(limit, "a", now)


def test_the_last_keys_are_remembered():
    recent = Recent(capacity=2)
    for key in ("a", "b", "a", "c"):
        recent.add(key)

    assert [key in recent for key in "abc"] == [True, False, True]


def test_a_key_can_be_forgotten_twice():
    recent = Recent(capacity=2)
    recent.add("a")
    recent.forget("a")
    recent.forget("a")

    assert ("a" in recent, len(recent)) == (False, 0)
