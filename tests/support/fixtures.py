"""The servers a test may ask for by name; each is started once per test process, when asked for.

Load it in `tests/conftest.py`: `pytest_plugins = ["tests.support.fixtures"]`. A test that stops,
kills or restarts its server makes one of its own: `with RedisServer(own=True) as server`.
"""

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.support.missing import skipping_when_missing
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL shared by the tests of this process; make a database in it per test."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis shared by the tests of this process; flush it before use."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ shared by the tests of this process; its first use takes some seven seconds."""
    with RabbitMQ() as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    """A fixture without its server skips the test, or fails it in CI."""
    __tracebackhide__ = True
    with skipping_when_missing():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """So does a test which makes its own."""
    __tracebackhide__ = True
    with skipping_when_missing():
        return (yield)
