"""The `keyturn` command in this process, over a database file of its own."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select

from core.clock import HostClock
from core.sealing import MasterKey
from core.settings import Settings
from models import Tenant
from services.operation.bootstrap import ensure_installation, ensure_tenant
from services.operation.migrating import migrate
from services.runtime import build
from tests.support.command import Keyturn
from tests.support.world import LIMITS, World

MASTER_KEY = MasterKey.generate()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command says where the whole process logs to; that ends with its test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and one tenant, for every test to copy."""
    file = tmp_path_factory.mktemp("migrated") / "keyturn.db"
    runtime = build(
        Settings(database_url=f"sqlite:///{file}", master_keys=MASTER_KEY), clock=HostClock()
    )
    migrate(runtime.database)
    ensure_installation(runtime)
    ensure_tenant(runtime, "acme", limits=LIMITS, admin_email="admin@example.com")
    runtime.close()
    return file


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyturn:
    """The command where nothing has been done yet."""
    monkeypatch.setenv("KEYTURN_DATABASE_URL", f"sqlite:///{tmp_path / 'keyturn.db'}")
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", MASTER_KEY)
    monkeypatch.setenv("KEYTURN_FILE_ROOT", str(tmp_path / "files"))
    monkeypatch.setenv("KEYTURN_DATA_DIR", str(tmp_path / "home"))
    return Keyturn()


@pytest.fixture
def keyturn(bare: Keyturn, migrated: Path, tmp_path: Path) -> Keyturn:
    """The command over a database with one tenant."""
    shutil.copyfile(migrated, tmp_path / "keyturn.db")
    return bare


@pytest.fixture
def world(keyturn: Keyturn, tmp_path: Path) -> Iterator[World]:
    """What the command's database holds, for tests to prepare and to look at."""
    runtime = build(Settings(), clock=HostClock())
    with runtime.database.reading() as session:
        tenant = session.scalars(select(Tenant)).one()
    yield World(runtime, runtime.clock, tenant.id, tmp_path / "files")
    runtime.close()
