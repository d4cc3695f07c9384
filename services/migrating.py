"""The schema: brought up to date, and compared with what this release needs."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from core.errors import Unready
from services.database import Database

_FOLDER = Path(__file__).parent.parent / "migrations"
_LOCK = 0x6B657974  # "keyt": one migration at a time
_LOCK_TIMEOUT = "5s"


def migrate(database: Database) -> tuple[str | None, str]:
    """Brings the schema to the newest revision; answers from which to which.

    Two at a time do not hurt: the second waits and finds nothing to do. On PostgreSQL a
    migration gives up rather than queue behind a long transaction and stop everybody.
    """
    with database.engine.connect() as connection, connection.begin():
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        before = _revision(connection)
        command.upgrade(config(connection), "head")
        after = _revision(connection)
    assert after is not None
    return before, after


def check_schema(database: Database) -> None:
    """Unready unless the schema is the one this release was made for, or a newer one."""
    with database.engine.connect() as connection:
        found = _revision(connection)
    head = ScriptDirectory(str(_FOLDER)).get_current_head()
    if found is None:
        raise Unready("The database has no schema yet: run `keyturn migrate`.")
    known = {script.revision for script in ScriptDirectory(str(_FOLDER)).walk_revisions()}
    if found != head and found in known:
        raise Unready(
            f"The database is at schema {found}, this release needs {head}: run `keyturn migrate`."
        )


def config(connection: Connection) -> Config:
    """Alembic's configuration over one connection; no file is read."""
    made = Config()
    made.set_main_option("script_location", str(_FOLDER))
    made.attributes["connection"] = connection
    return made


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
