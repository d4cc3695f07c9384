"""A stretch of time laid out on a line: where a moment lies, and which ones are named."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_STEPS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(days=1),
    timedelta(days=2),
    timedelta(days=7),
    timedelta(days=14),
    timedelta(days=30),
    timedelta(days=90),
    timedelta(days=365),
)
_MOST_TICKS = 9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Tick:
    """A named moment. `is_day`: it begins one, and is named by its date."""

    x: float
    label: str
    is_day: bool


@dataclass(frozen=True)
class Scale:
    """From `start` at `left` to `end` at `right`."""

    start: datetime
    end: datetime
    left: float
    right: float

    def x(self, moment: datetime) -> float:
        """Where the moment lies; one outside lies at the nearer end."""
        share = (min(max(moment, self.start), self.end) - self.start) / (self.end - self.start)
        return round(self.left + share * (self.right - self.left), 1)

    def shows(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end

    def ticks(self) -> Iterator[Tick]:
        """Round moments, at most nine, further apart the longer the stretch."""
        length = self.end - self.start
        step = next((one for one in _STEPS if length / one <= _MOST_TICKS), _STEPS[-1])
        moment = _EPOCH + -((_EPOCH - self.start) // step) * step
        while moment <= self.end:
            is_day = (moment - _EPOCH) % _DAY == timedelta(0)
            label = f"{moment.day} {moment:%b}" if is_day else f"{moment:%H:%M}"
            yield Tick(self.x(moment), label, is_day)
            moment += step
