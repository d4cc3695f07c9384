"""`keyturn-exec` and `keyturn exec` as processes, and the program that they run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually

BIN = Path(sys.executable).parent
SMALL = [str(BIN / "keyturn-exec")]
LARGE = [str(BIN / "keyturn"), "exec"]

# A shell that starts the tests in the background or under nohup has them ignore these.
_HEARING = ["/usr/bin/env", "--default-signal=HUP,INT,QUIT"]

# Writes down each thing that happens to it, a line of JSON each; signals are codes to end with,
# but for those that it only takes note of.
_PROGRAM = """
import json, os, signal, sys
log, notes, *ignored = sys.argv[1:]
def say(what, **more):
    with open(log, "a") as file:
        file.write(json.dumps({"what": what, "pid": os.getpid(), **more}) + "\\n")
def token_file():
    path = os.environ.get("KEYTURN_TOKEN_FILE")
    if not path:
        return None
    mode = os.stat(path).st_mode & 0o777, os.stat(os.path.dirname(path)).st_mode & 0o777
    return {"path": path, "text": open(path).read(), "modes": mode}
taken = {s for s in signal.Signals if s not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD)}
signal.pthread_sigmask(signal.SIG_BLOCK, taken)
say("started", environment=dict(os.environ), file=token_file(), group=os.getpgrp())
while True:
    number = signal.sigwait(taken)
    say(signal.Signals(number).name, file=token_file())
    if number.name not in notes.split(","):
        sys.exit(int(number) + 50)
"""


class Running:
    """A command under way, its output and what its program wrote down."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process, self._log = process, log

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def seen(self, what: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["what"] == what]

    def wait(self, what: str, times: int = 1) -> dict[str, Any]:
        """Once this has happened so often; the last of them."""
        return eventually(lambda: len(self.seen(what)) >= times and self.seen(what)[-1])

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        """Its exit code and all that it said, when it has ended by itself."""
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode, out


@contextmanager
def running(
    folder: Path,
    *options: str,
    command: Sequence[str] = SMALL,
    notes: str = "",
    environment: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
) -> Iterator[Running]:
    """The command around the program, which takes note of the signals in `notes`."""
    script, log = folder / "program.py", folder / "events"
    script.write_text(_PROGRAM)
    log.touch()
    process = subprocess.Popen(
        [*_HEARING, *command, *options, "--", sys.executable, str(script), str(log), notes],
        env=own_environment() | dict(environment or {}),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    made = Running(process, log)
    try:
        yield made
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        try:
            eventually(lambda: not any(alive(event["pid"]) for event in made.events))
        finally:
            for pid in {event["pid"] for event in made.events}:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
            process.communicate(timeout=10)


def once(*words: str, command: Sequence[str] = SMALL, **environment: str) -> tuple[int, str, str]:
    """A command that ends by itself: its code, stdout and stderr."""
    done = subprocess.run(
        [*command, *words],
        env=own_environment() | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def own_environment() -> dict[str, str]:
    ours = ("KEYTURN", "VAULT", "TFY", "OPENAI")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def arguments(pid: int) -> str:
    """What `ps` shows of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text()


Started = Callable[..., Running]
TERM_CODE = signal.SIGTERM + 50
