"""Fixtures for every test: `world` runs on SQLite and on PostgreSQL alike."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.support.migrated import migrated
from tests.support.postgres import Postgres
from tests.support.world import World, new_world

pytest_plugins = [
    "tests.conformance.results",
    "tests.support.fixtures",
    "tests.support.outside",
]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("KEYTURN_") and not name.startswith("KEYTURN_TEST_"):
            monkeypatch.delenv(name)


@contextmanager
def _database(postgres: Postgres, template: str | None = None) -> Iterator[str]:
    name = f"kt_{uuid4().hex[:12]}"
    yield postgres.create_database(name, template)
    postgres.drop_database(name)


@pytest.fixture
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """A database of the session's PostgreSQL with nothing in it."""
    with _database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_schema(postgres: Postgres) -> Iterator[str]:
    """The name of a database that has the schema and nothing else, for others to be made from."""
    with _database(postgres) as url:
        yield urlsplit(migrated(url)).path.removeprefix("/")


@pytest.fixture
def postgres_url(postgres: Postgres, postgres_schema: str) -> Iterator[str]:
    """A database of the session's PostgreSQL with the schema in it."""
    with _database(postgres, postgres_schema) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A Keyturn with one tenant, on each database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    with new_world(url, tmp_path / "files") as made:
        yield made
