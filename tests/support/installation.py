"""A Keyturn of separate processes, as in production: started, killed and watched by tests."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

from core.sealing import MasterKey
from tests.support.ports import free_port
from tests.support.postgres_binaries import faketime_library
from tests.support.waiting import eventually

KEYTURN = str(Path(sys.executable).with_name("keyturn"))


class Process:
    """One `keyturn ...` with its log in a file."""

    def __init__(self, name: str, arguments: list[str], env: dict[str, str], folder: Path) -> None:
        self.name = name
        self.arguments = arguments
        self.log = folder / f"{name}.log"
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [KEYTURN, *self.arguments], env=self._env, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        """kill -9: nothing of it runs any more when this returns."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        """SIGTERM, as a supervisor would; answers the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
            raise

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def resident_megabytes(self) -> float:
        assert self._process is not None
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")


def _clock_of(clock_file: Path) -> dict[str, str]:
    return {
        "LD_PRELOAD": str(faketime_library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock_file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


class Installation:
    """Processes over one database and one broker."""

    def __init__(
        self, folder: Path, *, database_url: str, broker_url: str, **settings: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, Process] = {}
        self.env = {name: value for name, value in os.environ.items() if "KEYTURN" not in name} | {
            "KEYTURN_DATABASE_URL": database_url,
            "KEYTURN_BROKER_URL": broker_url,
            "KEYTURN_MASTER_KEYS": MasterKey.generate(),
            "KEYTURN_FILE_ROOT": str(folder / "files"),
            "KEYTURN_AMBIENT_CREDENTIALS": "true",
            "KEYTURN_ALLOWED_NETWORKS": "127.0.0.0/8, ::1",
            "KEYTURN_TICK": "0.2s",
            "KEYTURN_DIGEST_WINDOW": "0s",
            "KEYTURN_LOG_JSON": "true",
            "KEYTURN_PUBLIC_URL": self.url,
            **settings,
        }

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        done = subprocess.run(
            [KEYTURN, *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"keyturn {arguments}: {done.returncode}\n{done.stderr}")
        return done

    def run_json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def database(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database answers, as lists of tuples."""
        url = self.env["KEYTURN_DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(sql).fetchall()

    def prepare(self) -> str:
        """Schema, tenant, limits of seconds; answers the first admin's token."""
        out = self.folder / "admin-token"
        self.run("migrate")
        self.run("admin", "bootstrap", "--out", str(out), "--tenant", "acme")
        self.run(
            "tenants", "limits", "--smallest-interval", "1s", "--smallest-grace", "1s",
            "--pick-up", "2s",
        )  # fmt: skip
        return out.read_text().strip()

    def start(self, name: str, *arguments: str, clock_file: Path | None = None) -> Process:
        """Starts a process; a name that was used before is that process again.

        With a `clock_file` its host's clock is off by what the file says, `+0300.000s`.
        """
        if name not in self.processes:
            clock = {} if clock_file is None else _clock_of(clock_file)
            self.processes[name] = Process(name, list(arguments), self.env | clock, self.folder)
        self.processes[name].start()
        return self.processes[name]

    def start_all(self, workers: int = 2) -> None:
        """api, beat and workers; returns when the API is ready."""
        self.start("api", "api", "--port", str(self.port))
        self.start("beat", "beat")
        for number in range(workers):
            self.start(f"worker-{number}", "worker")
        self.wait_ready()

    def wait_ready(self) -> None:
        def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{self.url}/readyz").status_code == 200
            return False

        eventually(ready, within=30)

    def stop_all(self) -> dict[str, int]:
        return {name: process.stop() for name, process in self.processes.items()}

    def logs(self) -> str:
        return "".join(p.log.read_text(errors="replace") for p in self.processes.values())


@contextmanager
def installed(folder: Path, **settings: str) -> Iterator[Installation]:
    """An installation whose processes are all ended at the end."""
    made = Installation(folder, **settings)
    try:
        yield made
    finally:
        for process in made.processes.values():
            with contextlib.suppress(AssertionError):
                process.kill()
