import time
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import Mark, new_id, recipient_id

PLACE = UUID("01234567-89ab-cdef-0123-456789abcdef")
marks = st.builds(
    Mark,
    epoch=st.integers(1, 10**9),
    revision=st.integers(0, 10**12),
    place=st.uuids(),
)


def test_an_id_is_a_uuid_of_version_7():
    made = new_id()

    assert (made.version, made.variant) == (7, RFC_4122)


def test_an_id_begins_with_the_milliseconds_since_1970():
    before = time.time_ns() // 1_000_000

    made = new_id().int >> 80

    assert before <= made <= time.time_ns() // 1_000_000


def test_an_id_of_a_later_millisecond_comes_after_an_earlier_one():
    earlier = UUID(int=((time.time_ns() // 1_000_000) - 1) << 80 | (1 << 80) - 1)

    assert earlier < new_id()


def test_ids_that_are_made_at_once_differ():
    assert len({new_id() for _ in range(1000)}) == 1000


def test_a_version_id_is_made_of_place_epoch_and_revision():
    mark = Mark(epoch=3, revision=41, place=PLACE)

    assert mark.version_id() == "0123456789abcdef0123456789abcdef-00003-000000000041"


@given(marks)
def test_a_version_id_is_read_back_as_the_mark_it_was_made_of(mark: Mark):
    assert Mark.of_version_id(mark.version_id()) == mark


@given(marks)
def test_a_version_id_fits_into_what_aws_allows(mark: Mark):
    assert 32 <= len(mark.version_id()) <= 64


@given(marks, marks)
def test_different_marks_have_different_version_ids(one: Mark, other: Mark):
    assert (one.version_id() == other.version_id()) == (one == other)


@given(st.text(max_size=80))
def test_text_that_is_no_version_id_is_read_as_none(text: str):
    assert Mark.of_version_id(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "--",
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef-1-1",
        "01234567-89ab-cdef-0123-456789abcdef",
        "0123456789ABCDEF0123456789ABCDEF-00001-000000000001",
        "{0123456789abcdef0123456789abcdef}-00001-000000000001",
        "0123456789abcdef0123456789abcdef-+0001-000000000001",
        "0123456789abcdef0123456789abcdef-00001-00000000000٣",
        "0123456789abcdef0123456789abcdef-00001-0000000_0001",
        "0123456789abcdef0123456789abcdef-00001-000000000001 ",
        "0123456789abcdef0123456789abcdef-00001-" + "9" * 5000,
    ],
)
def test_what_is_nearly_a_version_id_is_somebody_elses(text: str):
    assert Mark.of_version_id(text) is None


def test_a_higher_revision_of_an_epoch_wins():
    assert Mark(epoch=1, revision=7, place=PLACE) > Mark(epoch=1, revision=6, place=PLACE)


def test_a_higher_epoch_wins_over_any_revision():
    restored = Mark(epoch=2, revision=0, place=PLACE)
    forgotten = Mark(epoch=1, revision=999_999, place=PLACE)

    assert max(forgotten, restored) == restored


def test_a_recipient_of_a_lane_has_the_same_id_for_ever():
    lane = UUID(int=1)

    assert recipient_id(lane, "a@b.c") == UUID("6735925b-6bee-563a-931f-3f7483be6118")


def test_recipients_of_a_lane_and_lanes_of_a_recipient_differ():
    ids = {
        recipient_id(UUID(int=1), "a@b.c"),
        recipient_id(UUID(int=1), "b@b.c"),
        recipient_id(UUID(int=1), ""),
        recipient_id(UUID(int=2), "a@b.c"),
    }

    assert len(ids) == 4
