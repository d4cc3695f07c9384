"""The schema of a new database, migrated once in a test process and then copied."""

import shutil
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from core.errors import Unready
from services.database import Database
from services.operation.migrating import check_schema, migrate

_SQLITE = "sqlite:///"


def migrate_by_copy(url: str) -> None:
    """Puts the schema into an SQLite file that is not there yet; the rest is left to migrations."""
    file = Path(url.removeprefix(_SQLITE))
    if url.startswith(_SQLITE) and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_schema())


def migrate_unless_copied(database: Database) -> None:
    """Looks first, which takes a tenth of what Alembic does."""
    try:
        check_schema(database)
    except Unready:
        migrate(database)


def migrated(url: str) -> str:
    """The database, brought up to date; nobody is connected to it afterwards."""
    with closing(Database(url)) as database:
        migrate(database)
    return url


@cache
def _schema() -> bytes:
    folder = Path(tempfile.mkdtemp())
    try:
        file = folder / "schema.db"
        migrated(f"{_SQLITE}{file}")
        return file.read_bytes()
    finally:
        shutil.rmtree(folder)
