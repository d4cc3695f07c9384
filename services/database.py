"""Transactions: one use case, one of them, on PostgreSQL and on SQLite alike."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from core.clock import Clock, HostClock
from core.errors import Unready
from services.changes import WatchedSession

Result = TypeVar("Result")

_REPEATABLE = {"40001", "40P01"}  # serialization_failure, deadlock_detected
_WRITES = "keyturn_writes"
# libpq: a host that went away is noticed within 5 s of silence.
_IMPATIENT = {
    "connect_timeout": 3,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 5_000,
}


class Database:
    """The engine, and the two ways to use it: `reading` and `writing`.

    On SQLite writers take turns behind one lock in the process, which is fair, and begin
    with BEGIN IMMEDIATE, so that none fails half-way for want of the write lock.

    What is written is dated by `clock`. Whoever is in `listeners` hears at once, after the
    commit, what verifiers elsewhere will read in the table of changes. An `impatient` one gives
    up a host that is silent for a few seconds.
    """

    def __init__(self, url: str, *, pool_size: int = 10, impatient: bool = False) -> None:
        self.engine = _engine(url, pool_size, _IMPATIENT if impatient else {})
        self.clock: Clock = HostClock()
        self.listeners: list[Callable[[Collection[UUID]], None]] = []
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._turn = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads; what it saw stays loaded after it."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are committed at the end, all or none."""
        if self.is_sqlite:
            with self._turn, self._begin() as session:
                yield session
        else:
            with self._begin() as session:
                yield session

    def write(self, use_case: Callable[[Session], Result]) -> Result:
        """Runs `use_case` in a transaction of its own, up to three times over deadlocks.

        Only what the database refused before a commit is repeated; a connection that is
        lost at COMMIT is not, since the commit may have happened.
        """
        return cast("Result", _repeating(self._once, use_case))

    def _once(self, use_case: Callable[[Session], Result]) -> Result:
        with self.writing() as session:
            return use_case(session)

    def now(self) -> datetime:
        """The database's own time; on SQLite that is this host's."""
        if self.is_sqlite:
            return datetime.now(UTC)
        with self.engine.connect() as connection:
            moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return moment.astimezone(UTC)

    def ping(self) -> None:
        """Unready, with what to look at, unless the database answers."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise Unready(f"The database does not answer ({type(error.orig).__name__}).") from None

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _begin(self) -> Iterator[Session]:
        with WatchedSession(self._writer, self.clock.now()) as session:
            with session.begin():
                yield session
            if session.told:
                for listen in self.listeners:
                    listen(session.told)


def _is_repeatable(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and sqlstate(error) in _REPEATABLE


_repeating = Retrying(
    retry=retry_if_exception(_is_repeatable),
    stop=stop_after_attempt(3),
    wait=wait_random(0, 0.05),
    reraise=True,
)


def sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's code of what went wrong; empty elsewhere."""
    return getattr(error.orig, "sqlstate", None) or ""


def _engine(url: str, pool_size: int, patience: dict[str, Any]) -> Engine:
    if url.startswith("sqlite"):
        return _sqlite(url)
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "options": "-c timezone=UTC -c lock_timeout=30000",
            "prepare_threshold": None,  # PgBouncer in transaction mode has no prepared statements
            **patience,
        },
    )


def _sqlite(url: str) -> Engine:
    in_memory = url in {"sqlite://", "sqlite:///:memory:"}
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool if not in_memory else None,
        connect_args={"timeout": 30},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours to say
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
