"""A calendar drawn as a picture: days by week, the darker the more. Pure: counts in, shapes out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from console.words import count as counted
from console.words import day as written

LEVELS = 4

_PITCH, _SIZE = 27, 23
_LEFT, _TOP = 34, 22
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NARROWEST_MONTH = 2  # weeks, in which its name finds room


@dataclass(frozen=True)
class Cell:
    """One day. `level` is 0 for nothing, up to LEVELS for the most."""

    day: date
    count: int
    level: int
    x: int
    y: int

    @property
    def label(self) -> str:
        """What it says when somebody points at it."""
        weekday = _WEEKDAYS[self.day.weekday()]
        return f"{weekday} {written(self.day)}: {counted(self.count, 'rotation')}"


@dataclass(frozen=True)
class Label:
    """Words at a place."""

    text: str
    x: int
    y: int


@dataclass(frozen=True)
class HeatMap:
    """The whole picture, in units of its own."""

    width: int
    height: int
    size: int
    cells: Sequence[Cell]
    labels: Sequence[Label]
    total: int
    most: Cell | None


def heat_map(counts: Mapping[date, int]) -> HeatMap:
    """A column for each week from the first day's on, a row for each day of the week."""
    days = sorted(counts)
    if not days:
        return HeatMap(0, 0, _SIZE, (), (), 0, None)
    monday = days[0] - timedelta(days=days[0].weekday())
    highest = max(counts.values())
    cells = [_cell(day, counts[day], highest, monday) for day in days]
    return HeatMap(
        width=cells[-1].x + _SIZE,
        height=_TOP + 7 * _PITCH - (_PITCH - _SIZE),
        size=_SIZE,
        cells=cells,
        labels=[*_weekdays(), *_months(cells)],
        total=sum(counts.values()),
        most=max(cells, key=lambda cell: cell.count) if highest else None,
    )


def level_of(count: int, highest: int) -> int:
    """By the root, so that one busy day does not make all others look alike."""
    return math.ceil(LEVELS * math.sqrt(count / highest)) if count else 0


def _cell(day: date, count: int, highest: int, monday: date) -> Cell:
    week = (day - monday).days // 7
    return Cell(
        day,
        count,
        level_of(count, highest),
        x=_LEFT + week * _PITCH,
        y=_TOP + day.weekday() * _PITCH,
    )


def _weekdays() -> list[Label]:
    middle = _SIZE // 2 + 4
    return [
        Label(name, 0, _TOP + row * _PITCH + middle)
        for row, name in enumerate(_WEEKDAYS)
        if row % 2 == 0
    ]


def _months(cells: Sequence[Cell]) -> list[Label]:
    """Above the first week of each, unless the next one's name would follow at once."""
    starts: dict[tuple[int, int], Cell] = {}
    for cell in cells:
        starts.setdefault((cell.day.year, cell.day.month), cell)
    found = list(starts.values())
    ends = [*(cell.x for cell in found[1:]), cells[-1].x + _PITCH]
    return [
        Label(f"{cell.day:%b}", cell.x, _TOP - 9)
        for cell, end in zip(found, ends, strict=True)
        if end - cell.x >= _NARROWEST_MONTH * _PITCH
    ]
