"""When an account's key is turned next, and until when the old one works. Pure arithmetic.

Moments are aware and in UTC. A schedule is a lattice of moments; an outage costs the
rotations it swallowed: afterwards there is one rotation, and then the lattice again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice, pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from core.errors import InvalidInput
from core.fields import check_zone

_FIRINGS_CHECKED = 100
_FIELDS = 5


@dataclass(frozen=True)
class Policy:
    """How often a key is turned. Exactly one of `interval` and `schedule` is given."""

    grace: timedelta
    max_hold: timedelta
    interval: timedelta | None = None
    schedule: str | None = None
    timezone: str = "UTC"
    spread: timedelta = timedelta(0)

    def first_due(self, account: UUID, *, reckoned_from: datetime, now: datetime) -> datetime:
        """The first due moment under a new policy.

        An interval reckons from the last rotation (else the creation), never before `now`;
        a schedule fires at its next moment after `now`.
        """
        offset = self._offset(account)
        if self.interval is not None:
            return max(reckoned_from + self.interval + offset, now)
        return self._firing_after(now - offset) + offset

    def next_due(self, account: UUID, *, previous: datetime, now: datetime) -> datetime:
        """The first moment of the lattice through `previous` that lies after `now`."""
        if self.interval is not None:
            steps = max((now - previous) // self.interval, 0) + 1
            return previous + steps * self.interval
        offset = self._offset(account)
        return self._firing_after(max(previous, now) - offset) + offset

    def shortest_gap(self, now: datetime) -> timedelta:
        """The least time between two rotations (a schedule: among its next 100 firings)."""
        if self.interval is not None:
            return self.interval
        firings = islice(self._firings(now), _FIRINGS_CHECKED)
        return min((b - a for a, b in pairwise(firings)), default=timedelta.max)

    def due_moments(self, account: UUID, first: datetime, until: datetime) -> Iterator[datetime]:
        """The lattice from `first` on, as far as `until`."""
        moment = first
        while moment <= until:
            yield moment
            moment = self.next_due(account, previous=moment, now=moment)

    def _firing_after(self, moment: datetime) -> datetime:
        return next(self._firings(moment))

    def _firings(self, after: datetime) -> Iterator[datetime]:
        assert self.schedule is not None
        local = after.astimezone(ZoneInfo(self.timezone))
        firings = (firing.astimezone(UTC) for firing in CronSim(self.schedule, local))
        # In an hour that the clocks repeat, the first one may lie in the hour's first pass.
        return (firing for firing in firings if firing > after)

    def _offset(self, account: UUID) -> timedelta:
        """Where in the spread this account stands: the same for ever, even over accounts."""
        if not self.spread:
            return timedelta(0)
        fraction = int.from_bytes(sha256(account.bytes).digest()[:8], "big") / 2**64
        return self.spread * fraction


def check_timezone(timezone: str) -> ZoneInfo:
    """The time zone of this name; InvalidInput unless there is one."""
    try:
        return ZoneInfo(check_zone(timezone))
    except ValueError as error:
        raise InvalidInput("auto_rotate.timezone", str(error)) from None


def check_schedule(schedule: str, timezone: str, now: datetime) -> None:
    """Raises InvalidInput unless `schedule` is a cron expression that fires in `timezone`."""
    zone = check_timezone(timezone)
    try:
        firing = next(CronSim(schedule, now.astimezone(zone)), None)
    except CronSimError:
        firing = None
    if firing is None or len(schedule.split()) != _FIELDS:  # a sixth one would be seconds
        raise InvalidInput(
            "auto_rotate.schedule",
            "give a cron expression of five fields that fires, like '0 3 * * MON'",
        )


@dataclass(frozen=True)
class Farewell:
    """Until when a predecessor works, written down at the moment of the rotation."""

    grace_until: datetime
    hold_until: datetime
    valid_until: datetime

    @classmethod
    def at(
        cls,
        now: datetime,
        *,
        grace: timedelta,
        max_hold: timedelta,
        expires_at: datetime | None,
        held: bool,
    ) -> "Farewell":
        """What a rotation at `now` grants the old token; never beyond its own `expires_at`.

        A held token stays valid to its hold limit until the release is written (law 7).
        """
        grace_until, hold_until = now + grace, now + grace + max_hold
        if not held:
            hold_until = grace_until
        if expires_at is not None:
            grace_until, hold_until = min(grace_until, expires_at), min(hold_until, expires_at)
        return cls(grace_until=grace_until, hold_until=hold_until, valid_until=hold_until)


def release(
    *, now: datetime, grace_until: datetime, hold_until: datetime, pick_up: timedelta
) -> datetime:
    """Until when a predecessor works once every required place has confirmed its successor.

    Consumers get a pick-up time after the confirmation, within the hold limit; the grace
    itself is never shortened.
    """
    return max(grace_until, min(now + pick_up, hold_until))
