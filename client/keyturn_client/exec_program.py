"""Runs the program and follows the token: restarts it, signals it, or leaves it alone."""

import logging
import os
import random
import signal
import threading
import time
from contextlib import ExitStack
from math import inf

from keyturn_client.exec_child import Child
from keyturn_client.exec_options import RESTART, TOKEN_FILE, Program
from keyturn_client.exec_signals import ENDING, Inbox
from keyturn_client.exec_token_file import TokenFile
from keyturn_client.source import TokenSource

_log = logging.getLogger("keyturn_client")


def run_program(source: TokenSource, program: Program) -> int:
    """Runs the program to its end; its exit code, 128 + n if signal n ended it.

    TokenUnavailable and CannotStart if it cannot be started. Nothing of it is left at the end.
    """
    token = source()
    with ExitStack() as stack:
        file = None
        if program.on_rotation != RESTART:
            file = stack.enter_context(TokenFile())
        inbox = stack.enter_context(Inbox())
        run = _Run(source, program, token, inbox, file)
        stack.callback(run.end)
        while (code := run.turn()) is None:
            pass
    if code >= 0:
        return code
    _log.info("the program was ended by %s", signal.Signals(-code).name)
    return 128 - code


class _Run:
    """The program from its first start to its end, a turn for everything that happens."""

    def __init__(
        self,
        source: TokenSource,
        program: Program,
        token: str,
        inbox: Inbox,
        file: TokenFile | None,
    ) -> None:
        self._source, self._program, self._inbox, self._file = source, program, inbox, file
        self._token = token
        self._found: str | None = None
        self._looking: threading.Thread | None = None
        self._ending = False
        self._look_at = self._stop_at = self._kill_at = inf
        self._child = self._started()

    def turn(self) -> int | None:
        """Waits for the next thing to happen and does what follows; at the end the exit code."""
        until = min(self._look_at, self._stop_at, self._kill_at)
        for number in self._inbox.wait(min(until - time.monotonic(), 3600.0)):
            if number in ENDING:
                self._ending, self._stop_at = True, inf
            self._child.pass_on(number)
        code = self._child.ended()
        if code is None:
            self._look()
            self._stop()
        elif self._kill_at < inf and not self._ending:
            self._child = self._started()
        else:
            return code
        return None

    def end(self) -> None:
        """Nothing of the program is left when this returns, whatever went wrong."""
        self._child.kill()

    def _started(self) -> Child:
        """The program with the token. No look is under way at a start, hence no other thread."""
        environment = {k: v for k, v in os.environ.items() if k not in self._program.withheld}
        environment |= dict.fromkeys(self._program.variables, self._token)
        if self._file is not None:
            self._file.write(self._token)
            environment[TOKEN_FILE] = str(self._file.path)
        child = Child(self._program.words, environment)
        self._look_at = time.monotonic() + self._program.every
        self._stop_at = self._kill_at = inf
        return child

    def _look(self) -> None:
        """Looks for a new token in a thread, since that may take longer than a signal can wait."""
        if self._looking is not None and self._found is not None:
            self._looking.join()
            token, self._found, self._looking = self._found, None, None
            self._look_at = time.monotonic() + self._program.every
            if token != self._token and not self._ending:
                self._token = token
                self._rotated()
        elif time.monotonic() >= self._look_at:
            self._look_at = inf
            self._looking = threading.Thread(target=self._ask, daemon=True)
            self._looking.start()

    def _ask(self) -> None:
        found = self._token
        try:
            found = self._source()  # there was a token, so it always has one
        finally:
            self._found = found
            self._inbox.ring()

    def _rotated(self) -> None:
        if self._file is not None:
            self._file.write(self._token)
        what = self._program.on_rotation
        if what == RESTART:
            delay = random.SystemRandom().uniform(0, self._program.spread)
            when = f"in {delay:.0f} s" if delay else "now"
            _log.info("the token was rotated: the program is restarted %s", when)
            self._look_at, self._stop_at = inf, time.monotonic() + delay
        elif isinstance(what, signal.Signals):
            _log.info("the token was rotated: the program gets %s", what.name)
            self._child.send(what)
        else:
            _log.info("the token was rotated; the file has it")

    def _stop(self) -> None:
        now = time.monotonic()
        if now >= self._stop_at:
            self._stop_at, self._kill_at = inf, now + self._program.grace
            self._child.send(signal.SIGTERM)
        elif now >= self._kill_at:
            _log.warning("the program did not end at SIGTERM, so it gets SIGKILL")
            self._child.kill()
