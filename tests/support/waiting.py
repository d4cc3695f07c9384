"""Waiting for something another thread or process does, with a deadline in place of a sleep."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], within: float = 10.0, every: float = 0.02) -> T:
    """The first true value of `check`, asked every `every` seconds for `within` seconds.

    `check` is asked at least once, and once more at the deadline. An exception it raises counts as
    "not yet". When time is up: AssertionError, naming the last value or caused by the last
    exception.
    """
    pause = threading.Event()
    deadline = time.monotonic() + within
    while True:
        last_try = time.monotonic() >= deadline
        try:
            value = check()
        except Exception as error:
            if last_try:
                raise AssertionError(f"still failing after {within} s: {error!r}") from error
        else:
            if value:
                return value
            if last_try:
                raise AssertionError(f"still {value!r} after {within} s")
        pause.wait(every)
