"""One run of the program: a process, its group, and its end."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from keyturn_client.exec_signals import FROM_KEYBOARD, tied_to_us

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class CannotStart(Exception):
    """The program cannot be started."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Child:
    """The running program.

    It leads a process group of its own, except at a terminal, whose keyboard would not reach it.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Starts it; CannotStart says why not."""
        self._at_terminal = os.isatty(0)
        failure: CannotStart | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603 - running it is what was asked for
                words,
                env=environment,
                close_fds=False,  # what was handed to us is handed on; ours are not inheritable
                process_group=None if self._at_terminal else 0,
                preexec_fn=tied_to_us(),  # noqa: PLW1509 - no other thread runs at a start
            )
        except FileNotFoundError:
            failure = CannotStart(f"{words[0]}: no such program", _NOT_FOUND)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "strerror", None) or type(error).__name__
            failure = CannotStart(f"{words[0]}: {said}", _NOT_EXECUTABLE)
        except ValueError:
            failure = CannotStart("the program's arguments hold a NUL", _NOT_EXECUTABLE)
        if failure is not None:
            raise failure

    def ended(self) -> int | None:
        """The exit code once it has ended, -n if signal n ended it.

        What is left of its group is killed before the group's id can become somebody else's.
        """
        if self._process.returncode is None and _is_over(self._process):
            self._kill_group()
            self._process.wait()
        return self._process.returncode

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the program, if it has not ended; its id is its own until then."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def pass_on(self, number: signal.Signals) -> None:
        """The same for a signal that was sent to us."""
        if not (self._at_terminal and number in FROM_KEYBOARD):
            self.send(number)

    def kill(self) -> None:
        """Ends the program and its group now; a second call does nothing."""
        if self._process.returncode is None:
            self._kill_group()
            self.send(signal.SIGKILL)
            self._process.wait()

    def _kill_group(self) -> None:
        if not self._at_terminal:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended, where possible without taking its exit code: its id stays taken."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
