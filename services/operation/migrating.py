"""The schema: brought up to date by Alembic, and compared with what this release needs.

A revision's id is the number in front of its file's name, so that workers can compare it
without Alembic, which takes 7 MB.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from core.errors import Unready
from services.database import Database

_FOLDER = Path(__file__).parents[2] / "migrations"
_LOCK = 0x6B657974  # "keyt": one migration at a time
_LOCK_TIMEOUT = "5s"


def migrate(database: Database) -> tuple[str | None, str]:
    """Brings the schema to the newest revision; answers from which to which.

    Two at a time do not hurt: the second waits and finds nothing to do. On PostgreSQL a
    migration gives up rather than queue behind a long transaction and stop everybody.
    """
    from alembic import command  # noqa: PLC0415

    with _changing(database) as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        before = _revision(connection)
        command.upgrade(config(connection), "head")
        after = _revision(connection)
    assert after is not None
    return before, after


@contextmanager
def _changing(database: Database) -> Iterator[Connection]:
    """A transaction in which tables can be changed.

    SQLite changes a constraint by copying the table: nobody's reference to it may be looked at
    meanwhile, and each of them is before the commit.
    """
    with database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        if database.is_sqlite:
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if database.is_sqlite:
                    broken = connection.execute(text("PRAGMA foreign_key_check")).first()
                    assert broken is None, broken
        finally:
            if database.is_sqlite:
                driver.execute("PRAGMA foreign_keys=ON")


def check_schema(database: Database) -> None:
    """Unready unless the schema is the one this release was made for, or a newer one."""
    with database.engine.connect() as connection:
        found = _revision(connection)
    known = revisions()
    if found is None:
        raise Unready("The database has no schema yet: run `keyturn migrate`.")
    if found in known[:-1]:
        raise Unready(
            f"The database is at schema {found}, this release needs {known[-1]}: "
            "run `keyturn migrate`."
        )


def revisions() -> list[str]:
    """The ids of this release's revisions, the oldest first."""
    return sorted(file.name.split("_")[0] for file in (_FOLDER / "versions").glob("[0-9]*.py"))


def config(connection: Connection) -> Any:
    """Alembic's configuration over one connection; no file is read."""
    from alembic.config import Config  # noqa: PLC0415

    made = Config()
    made.set_main_option("script_location", str(_FOLDER))
    made.attributes["connection"] = connection
    return made


def _revision(connection: Connection) -> str | None:
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
