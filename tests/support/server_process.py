"""Server processes of our own, each in a folder of its own."""

import os
import pwd
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom servers run as when we are root: several refuse to run as root, none needs it."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def server_directory(kind: str) -> Path:
    """A fresh private directory which a server process may write to; the caller removes it."""
    directory = Path(tempfile.mkdtemp(prefix=f"keyturn-{kind}-"))
    if nobody := _unprivileged():
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return directory


class ServerProcess:
    """One child process with its log in `directory`, started unprivileged and ended by its id.

    It stays in our process group, so that an interrupted run takes it along.
    """

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        self.command = list(command)
        self.directory = directory
        self.log = directory / f"{Path(self.command[0]).name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The running process's id; None before `start` and after its end, however it came."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()) -> None:
        """Starts the process with a bare environment plus `env`; does not wait for anything."""
        assert self.pid is None, f"{self.command[0]} is already running"
        nobody = _unprivileged()
        base = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.directory)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env=base | dict(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                user=nobody.pw_uid if nobody else None,
                group=nobody.pw_gid if nobody else None,
                extra_groups=[] if nobody else None,
            )

    def finish(self, within: float = 60.0) -> None:
        """Waits for a process that ends by itself; RuntimeError with its log if it failed."""
        assert self._process is not None
        code = self._process.wait(within)
        self._process = None
        if code != 0:
            raise RuntimeError(f"{self.command[0]} ended with {code}:\n{self._last_words()}")

    def wait_until(self, ready: Callable[[], bool], within: float = 30.0) -> None:
        """Returns once `ready()`; if the process ends or time is up first, it is ended and
        RuntimeError quotes the end of its log.
        """
        pause = threading.Event()
        deadline = time.monotonic() + within
        while not ready():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() >= deadline:
                self.end(signal.SIGKILL)
                raise RuntimeError(f"{self.command[0]} did not come up:\n{self._last_words()}")
            pause.wait(0.01)

    def end(self, how: signal.Signals = signal.SIGTERM, within: float = 20.0) -> None:
        """Sends the signal and waits for the end, by force after `within` seconds; a second call
        does nothing.
        """
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def processes_in(directory: Path) -> list[int]:
    """The ids of the running processes whose working directory is this one or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            at = str((process / "cwd").readlink())
        except OSError:  # ended meanwhile, or somebody else's
            continue
        if at.startswith(str(directory)):
            found.append(int(process.name))
    return found
