"""The memory of a verifier, with the clock moved by hand."""

from uuid import UUID

import pytest

from services.verify.verify_cache import MOST_NAMED, Entry, Hearing, Memory
from tests.support.manual_clock import ManualClock

TTL = 5.0
ONE, TWO, WHOLE = (UUID(int=number) for number in (1, 2, 3))


class Kept:
    """A memory that hears, and short words for it."""

    def __init__(self, capacity: int = 100) -> None:
        self.clock = ManualClock()
        self.hearing = Hearing(self.clock, TTL)
        self.memory: Memory[Entry] = Memory(self.hearing, self.clock, capacity=capacity, ttl=TTL)
        self.look()

    def look(self) -> None:
        self.hearing.heard_all(self.clock.elapsed())

    def entry(self, *subjects: UUID) -> Entry:
        return Entry(self.hearing.number, self.clock.elapsed(), subjects)

    def put(self, key: str, *subjects: UUID) -> None:
        self.memory.put(key, self.entry(*subjects))

    def has(self, key: str) -> bool:
        return self.memory.get(key) is not None


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_what_is_put_is_kept(kept: Kept):
    kept.put("a", ONE)

    assert (kept.has("a"), kept.has("b")) == (True, False)


def test_a_change_ends_what_it_names_and_nothing_else(kept: Kept):
    kept.put("a", ONE, WHOLE)
    kept.put("b", TWO, WHOLE)

    kept.hearing.hear([ONE])

    assert (kept.has("a"), kept.has("b")) == (False, True)


def test_a_change_of_the_whole_ends_all_of_it(kept: Kept):
    kept.put("a", ONE, WHOLE)
    kept.put("b", TWO)

    kept.hearing.hear([WHOLE])

    assert (kept.has("a"), kept.has("b")) == (False, True)


def test_what_is_looked_up_after_a_change_is_kept(kept: Kept):
    kept.hearing.hear([ONE])
    kept.put("a", ONE)

    assert kept.has("a")


def test_an_older_change_than_the_last_ends_it_too(kept: Kept):
    kept.put("a", ONE)
    kept.hearing.hear([ONE])
    kept.hearing.hear([TWO])

    assert not kept.has("a")


def test_a_change_while_it_was_looked_up_ends_it(kept: Kept):
    entry = kept.entry(ONE)
    kept.hearing.hear([ONE])

    kept.memory.put("a", entry)

    assert not kept.has("a")


def test_a_change_is_remembered_until_nothing_from_before_is_kept(kept: Kept):
    kept.put("a", ONE)
    kept.hearing.hear([ONE])
    kept.clock.pass_(seconds=4.9)
    kept.look()
    kept.hearing.hear([TWO])

    assert not kept.has("a")


def test_nothing_is_kept_longer_than_its_time(kept: Kept):
    kept.put("a", ONE)
    kept.clock.pass_(seconds=4.9)
    kept.look()
    before = kept.has("a")
    kept.clock.pass_(seconds=0.1)

    assert (before, kept.has("a")) == (True, False)


def test_nothing_is_believed_without_a_look_for_the_ttl(kept: Kept):
    kept.clock.pass_(seconds=4.9)
    kept.put("a", ONE)
    before = kept.has("a")
    kept.clock.pass_(seconds=0.1)
    after = kept.has("a")
    kept.put("b", ONE)

    assert (before, after, len(kept.memory)) == (True, False, 0)


def test_forgetting_ends_everything_looked_up_before(kept: Kept):
    under_way = kept.entry(ONE)
    kept.put("a", ONE)

    kept.hearing.forget()
    kept.memory.put("b", under_way)
    kept.put("c", ONE)

    assert [kept.has(key) for key in "abc"] == [False, False, True]


@pytest.mark.parametrize("times", [1, 2])
def test_too_many_changes_end_everything_instead_of_filling_the_memory(kept: Kept, times: int):
    kept.put("a", ONE)
    many = MOST_NAMED // times + 1

    for part in range(times):
        start = 10 + part * many
        kept.hearing.hear([UUID(int=number) for number in range(start, start + many)])

    assert not kept.has("a")
    assert len(kept.hearing._named) <= MOST_NAMED


def test_the_oldest_go_first_when_it_is_full():
    kept = Kept(capacity=3)
    for key in "abcd":
        kept.put(key, ONE)

    kept.put("b", ONE)
    kept.put("e", ONE)

    assert [kept.has(key) for key in "abcde"] == [False, True, False, True, True]


def test_what_is_over_goes_by_and_by():
    kept = Kept()
    for number in range(50):
        kept.put(f"old-{number}", ONE)
    kept.clock.pass_(seconds=TTL)
    kept.look()

    for number in range(25):
        kept.put(f"new-{number}", ONE)

    assert len(kept.memory) == 25
