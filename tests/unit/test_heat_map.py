from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from console.heat_map import LEVELS, heat_map, level_of

MONDAY = date(2026, 3, 2)


def days(*counts: int, first: date = MONDAY) -> dict[date, int]:
    return {first + timedelta(days=n): count for n, count in enumerate(counts)}


def test_a_week_is_a_column_and_its_days_are_rows():
    drawn = heat_map(days(*range(8)))

    first, *_, last_of_week, next_monday = drawn.cells
    assert (first.x, last_of_week.x) == (last_of_week.x, first.x)
    assert next_monday.x > first.x
    assert next_monday.y == first.y


def test_it_begins_in_the_row_of_its_first_day():
    thursday = heat_map(days(1, first=MONDAY + timedelta(days=3)))
    monday = heat_map(days(1))

    assert thursday.cells[0].y > monday.cells[0].y
    assert thursday.cells[0].x == monday.cells[0].x


def test_the_busiest_day_is_the_darkest_and_an_empty_one_is_bare():
    drawn = heat_map(days(0, 1, 100))

    assert [cell.level for cell in drawn.cells] == [0, 1, LEVELS]
    assert drawn.most.count == 100
    assert drawn.total == 101


def test_one_busy_day_does_not_make_all_others_alike():
    assert [level_of(count, 1_000) for count in (1, 100, 300, 700)] == [1, 2, 3, 4]


def test_a_day_says_what_it_brings():
    drawn = heat_map(days(1, 1_200))

    assert [cell.label for cell in drawn.cells] == [
        "Mon 2 Mar 2026: 1 rotation",
        "Tue 3 Mar 2026: 1,200 rotations",
    ]


def test_without_any_rotation_nothing_stands_out():
    drawn = heat_map(days(0, 0))

    assert drawn.most is None
    assert {cell.level for cell in drawn.cells} == {0}


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=120), st.dates())
def test_every_day_has_a_place_of_its_own_within_the_picture(counts, first):
    if first > date(9999, 1, 1):
        first = MONDAY
    drawn = heat_map(days(*counts, first=first))

    assert len({(cell.x, cell.y) for cell in drawn.cells}) == len(counts)
    assert all(0 <= cell.level <= LEVELS for cell in drawn.cells)
    assert all(cell.x + drawn.size <= drawn.width for cell in drawn.cells)
    assert all(cell.y + drawn.size <= drawn.height for cell in drawn.cells)
