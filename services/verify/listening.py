"""Hears of changes: reads the rows of `changes` that were committed since it last looked."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, Text, cast, func, select
from sqlalchemy.orm import Session

from models import Change
from services.runtime import Runtime
from services.verify.verify_cache import MOST_NAMED, Hearing

log = structlog.get_logger(__name__)

PERIOD = 0.5  # seconds

_Rows = Iterable[tuple[int, UUID]]


class Listener:
    """Looks twice a second from `start` to `stop`, and hears this process's own commits at once.

    On PostgreSQL every look reads again from the oldest transaction that was open at the last
    one, so that what commits late is not missed. After a gap of the TTL nothing kept is believed.
    """

    def __init__(self, runtime: Runtime, hearing: Hearing) -> None:
        self._runtime = runtime
        self._hearing = hearing
        self._mark: int | None = None
        self._seen: frozenset[int] = frozenset()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def poll(self) -> None:
        """One look. What it finds is looked up anew from now on."""
        began = self._runtime.clock.elapsed()
        if began >= self._hearing.trusted_until:
            self._mark = None
        database = self._runtime.verifying
        with database.reading() as session:
            read = _read_sqlite if database.is_sqlite else _read_postgresql
            mark, rows = read(session, self._mark)
        seen = dict(rows)
        if self._mark is None or mark < self._mark or len(seen) > MOST_NAMED:
            self._runtime.providers.forget()  # before an answer that is looked up from now on
            self._hearing.forget()
        elif new := [subject for number, subject in seen.items() if number not in self._seen]:
            self._runtime.providers.hear(new)
            self._hearing.hear(new)
        self._mark, self._seen = mark, frozenset(seen)
        self._hearing.heard_all(began)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Started, and at the end stopped."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def start(self) -> None:
        """Listens in a thread of its own; a database that is away is tried again."""
        self._runtime.database.listeners.append(self._hearing.hear)
        self._try()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
        self._runtime.database.listeners.remove(self._hearing.hear)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD):
            self._try()

    def _try(self) -> None:
        try:
            self.poll()
        except Exception as error:  # noqa: BLE001 - the next look tries again
            log.warning("changes.unheard", error=type(error).__name__)


def _read_postgresql(session: Session, mark: int | None) -> tuple[int, _Rows]:
    """In one statement, which sees one state of the database."""
    oldest_open = func.pg_snapshot_xmin(func.pg_current_snapshot())
    state = select(cast(cast(oldest_open, Text), BigInteger).label("mark")).subquery()
    if mark is None:
        return session.execute(select(state.c.mark)).scalar_one(), ()
    rows: list[Any] = list(
        session.execute(
            select(state.c.mark, Change.id, Change.subject)
            .select_from(state.outerjoin(Change, Change.xid >= mark))
            .limit(MOST_NAMED + 1)
        )
    )
    return rows[0].mark, [(row.id, row.subject) for row in rows if row.id is not None]


def _read_sqlite(session: Session, mark: int | None) -> tuple[int, _Rows]:
    """Writers take turns, so that ids are committed in their order."""
    newest = select(func.coalesce(func.max(Change.id), 0))
    if mark is None:
        return session.execute(newest).scalar_one(), ()
    rows: list[Any] = list(
        session.execute(
            select(Change.id, Change.subject)
            .where(Change.id > mark)
            .order_by(Change.id)
            .limit(MOST_NAMED + 1)
        )
    )
    return (rows[-1].id if rows else mark), [(row.id, row.subject) for row in rows]
