"""What happens to a test whose server is not installed: skipped at a desk, failed in CI."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest


class Missing(Exception):
    """A server this test needs is not there; the message says what to install or to unset."""


def skip_or_fail(reason: str) -> NoReturn:
    """Ends the running test: as skipped, or as failed where the environment sets `CI`."""
    __tracebackhide__ = True
    if os.environ.get("CI"):
        pytest.fail(f"CI must have every server: {reason}", pytrace=False)
    pytest.skip(reason)


@contextmanager
def skipping_when_missing() -> Iterator[None]:
    """Turns `Missing`, wherever it is raised inside, into `skip_or_fail`."""
    __tracebackhide__ = True
    try:
        yield
    except Missing as missing:
        skip_or_fail(str(missing))
