"""Fixtures for every test: `world` runs on SQLite and on PostgreSQL alike."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

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


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database of the session's PostgreSQL."""
    name = f"kt_{uuid4().hex[:12]}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A Keyturn with one tenant, on each database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    with new_world(url, tmp_path / "files") as made:
        yield made
