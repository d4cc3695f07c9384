"""Signals and other news as one queue that can be waited for with a deadline."""

import os
import select
import signal
import sys
from typing import Any, Self

# What is passed on. SIGCHLD wakes us; the keyboard's stop and go need nobody's help.
FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
# What the keyboard sends to every process of the terminal's foreground by itself.
FROM_KEYBOARD = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH})
ENDING = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
_NEWS = 0


class Inbox:
    """Collects signals while it is entered; those that were ignored before stay ignored."""

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handlers: dict[int, Any] = {}
        for number in (*FORWARDED, signal.SIGCHLD):
            if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, _noticed)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reader)
        os.close(self._writer)

    def ring(self) -> None:
        """Wakes whoever waits; for other threads."""
        os.write(self._writer, bytes([_NEWS]))

    def wait(self, seconds: float) -> list[signal.Signals]:
        """What to pass on, as soon as anything happens; nothing when the time is over."""
        ready, _, _ = select.select([self._reader], [], [], max(seconds, 0.0))
        heard = os.read(self._reader, 4096) if ready else b""
        return [signal.Signals(number) for number in heard if number in FORWARDED]


def tied_to_us() -> Any:
    """What a child calls before it becomes its program: it dies when we do, even by SIGKILL.

    Linux alone has this; None elsewhere.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes  # noqa: PLC0415 - needed on Linux alone, and loaded before the fork

    parent, libc, die_with_parent = os.getpid(), ctypes.CDLL(None), 1

    def tie() -> None:
        libc.prctl(die_with_parent, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was too late to be told
            os._exit(128 + signal.SIGKILL)

    return tie


def _noticed(_number: int, _frame: Any) -> None:
    """The wakeup descriptor has written it down."""
