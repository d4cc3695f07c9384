"""How long to wait before the next try: doubling, capped, jittered."""

import random
from datetime import timedelta

_FIRST = timedelta(seconds=1)
_LONGEST = timedelta(minutes=5)


def wait(failures: int, *, at_least: timedelta | None = None) -> timedelta:
    """The wait after the nth failure in a row, between 1 s and 5 min, jittered by half.

    `at_least` is what the destination asked for (Retry-After); it is kept whatever the cap.
    """
    doublings = min(max(failures, 1), 20)
    full = min(_FIRST * float(2**doublings), _LONGEST)
    jittered = full * random.uniform(0.5, 1.0)  # noqa: S311 - spreading load, not a secret
    return max(jittered, at_least) if at_least else jittered
