"""When people are reminded of what is to come. Pure arithmetic."""

from collections.abc import Sequence
from datetime import datetime, timedelta

# How long before a rotation, the end of an account, and the end of a personal access token.
BEFORE_ROTATION = (timedelta(days=7), timedelta(days=1))
BEFORE_EXPIRY = (timedelta(days=60), timedelta(days=30), timedelta(days=7), timedelta(days=1))
BEFORE_PERSONAL_EXPIRY = (timedelta(days=7), timedelta(days=1))
ALARMING = timedelta(days=7)
"""An end that is as near as this needs a human."""

Coming = tuple[datetime | None, Sequence[timedelta]]
"""When something happens, if it does, and how long before people are reminded of it."""


def befores(seconds: Sequence[int] | None) -> Sequence[timedelta]:
    """How long before a rotation people are reminded of it, of an account that says so or not."""
    if seconds is None:
        return BEFORE_ROTATION
    return [timedelta(seconds=one) for one in seconds]


def next_reminder(now: datetime, *comings: Coming) -> datetime | None:
    """The first moment after `now` at which one of these reminders is due; None if there is none.

    What would have been due by now is left out: nobody is reminded of what is nearer than that.
    """
    first = None
    for moment, befores in comings:
        if moment is None:
            continue
        left = moment - now
        for before in befores:
            if before < left and (first is None or moment - before < first):
                first = moment - before
    return first


def is_due(coming: Coming, since: datetime, now: datetime) -> bool:
    """Whether a reminder fell due from `since` to `now`, and what it is about still lies ahead.

    Several that an outage swallowed are one.
    """
    moment, befores = coming
    if moment is None or moment <= now:
        return False
    return any(since <= moment - before <= now for before in befores)
