"""An account's life drawn as a picture. Pure: facts in, shapes out; the template only writes them.

Each generation is a bar from its mint to its end: while it was the current one, through its grace,
and through a hold. Each destination is a lane with a mark for every delivery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from console.timeline_scale import Scale, Tick

WIDTH = 1_080

_LEFT, _RIGHT = 196, WIDTH - 16
_TOP, _ROW, _BAR = 38, 32, 16
_GAP = 14
_LANE = 30
_BOTTOM = 12
_NARROWEST = 2.0
_SHOWN_AHEAD = timedelta(days=45)
_LEAST_AHEAD = timedelta(hours=1)
_PADDING = 0.03
_LABEL = 26


class Phase(StrEnum):
    """What a stretch of a bar was, or will be."""

    CURRENT = "current"
    GRACE = "grace"
    HOLD = "hold"
    PLANNED = "planned"


@dataclass(frozen=True)
class Life:
    """A generation. `ends` is when it stops working; none: nothing ends it yet."""

    generation: int
    minted: datetime
    superseded: datetime | None = None
    grace_until: datetime | None = None
    ends: datetime | None = None
    is_revoked: bool = False
    words: str = ""


@dataclass(frozen=True)
class Dot:
    """A delivery: when it came to something, or is to; and what it came to."""

    at: datetime
    outcome: str
    words: str


@dataclass(frozen=True)
class Lane:
    """What was sent to one destination."""

    name: str
    dots: Sequence[Dot]


@dataclass(frozen=True)
class Segment:
    """A stretch of a bar."""

    phase: Phase
    x: float
    width: float


@dataclass(frozen=True)
class Bar:
    """A generation as it is drawn."""

    generation: int
    y: float
    segments: Sequence[Segment]
    is_alive: bool
    revoked_x: float | None
    words: str

    @property
    def x(self) -> float:
        return self.segments[0].x

    @property
    def width(self) -> float:
        return self.segments[-1].x + self.segments[-1].width - self.x


@dataclass(frozen=True)
class Mark:
    """A delivery as it is drawn."""

    x: float
    outcome: str
    words: str


@dataclass(frozen=True)
class Row:
    """A lane as it is drawn; its name is cut where it would not fit."""

    name: str
    label: str
    y: float
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Timeline:
    """The whole picture."""

    width: int
    height: float
    left: float
    right: float
    bar: float
    ticks: Sequence[Tick]
    bars: Sequence[Bar]
    rows: Sequence[Row]
    now_x: float
    next_x: float | None
    is_next_beyond: bool


def timeline(
    lives: Sequence[Life],
    lanes: Sequence[Lane],
    *,
    now: datetime,
    next_rotation: datetime | None = None,
    grace: timedelta = timedelta(0),
) -> Timeline:
    """The picture at this moment: the newest generation above, the past to the left of now."""
    scale = _scale(lives, now, next_rotation, grace)
    newest = max((life.generation for life in lives), default=0)
    bars = [
        _bar(life, scale, _TOP + number * _ROW, now, next_rotation, life.generation == newest)
        for number, life in enumerate(sorted(lives, key=lambda life: -life.generation))
    ]
    below = _TOP + len(bars) * _ROW + _GAP
    rows = [_row(lane, scale, below + number * _LANE) for number, lane in enumerate(lanes)]
    shown = next_rotation is not None and scale.shows(next_rotation)
    return Timeline(
        width=WIDTH,
        height=below + len(rows) * _LANE + _BOTTOM,
        left=_LEFT,
        right=_RIGHT,
        bar=_BAR,
        ticks=list(scale.ticks()),
        bars=bars,
        rows=rows,
        now_x=scale.x(now),
        next_x=scale.x(next_rotation) if next_rotation is not None and shown else None,
        is_next_beyond=next_rotation is not None and not shown and next_rotation > now,
    )


def _scale(
    lives: Sequence[Life], now: datetime, next_rotation: datetime | None, grace: timedelta
) -> Scale:
    """From the oldest mint on; ahead as far as there is something to see, but the past stays."""
    begins = min((life.minted for life in lives), default=now)
    begins = min(begins, now)
    past = now - begins
    ends = [life.ends for life in lives if life.ends is not None]
    if next_rotation is not None and next_rotation - now <= _SHOWN_AHEAD:
        ends.append(next_rotation + min(grace, next_rotation - min(now, next_rotation)))
    ahead = max([end - now for end in ends] + [timedelta(0)])
    ahead = min(ahead, _SHOWN_AHEAD, max(past * 3, _LEAST_AHEAD * 48))
    ahead = max(ahead, past * 0.12, _LEAST_AHEAD)
    begins = min(begins, now - ahead * 0.25)
    padding = (now + ahead - begins) * _PADDING
    return Scale(begins - padding, now + ahead + padding, _LEFT, _RIGHT)


def _bar(
    life: Life,
    scale: Scale,
    y: float,
    now: datetime,
    next_rotation: datetime | None,
    is_newest: bool,
) -> Bar:
    ends = life.ends if life.ends is not None else scale.end
    is_alive = life.minted <= now < ends
    current_until = min(life.superseded or ends, ends)
    stretches = []
    if is_newest and life.superseded is None and is_alive:
        turned = min(next_rotation, ends) if next_rotation and next_rotation > now else ends
        stretches += [(Phase.CURRENT, life.minted, now), (Phase.PLANNED, now, turned)]
    else:
        grace_until = min(life.grace_until or current_until, ends)
        stretches += [
            (Phase.CURRENT, life.minted, current_until),
            (Phase.GRACE, current_until, grace_until),
            (Phase.HOLD, max(grace_until, current_until), ends),
        ]
    segments = [
        Segment(phase, scale.x(start), round(scale.x(end) - scale.x(start), 1))
        for phase, start, end in stretches
        if end > start and scale.x(end) > scale.x(start)
    ]
    if not segments:
        segments = [Segment(Phase.CURRENT, scale.x(life.minted), _NARROWEST)]
    revoked_x = scale.x(ends) if life.is_revoked else None
    return Bar(life.generation, y, segments, is_alive, revoked_x, life.words)


def _row(lane: Lane, scale: Scale, y: float) -> Row:
    """Failures come last, so that they are drawn over the rest."""
    dots = sorted(lane.dots, key=lambda dot: (dot.outcome == "failed", dot.at))
    marks = [Mark(scale.x(dot.at), dot.outcome, dot.words) for dot in dots if scale.shows(dot.at)]
    label = lane.name if len(lane.name) <= _LABEL else f"{lane.name[: _LABEL - 1]}…"
    return Row(lane.name, label, y, marks)
