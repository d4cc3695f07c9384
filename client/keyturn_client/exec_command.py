"""`keyturn-exec`: runs a program with the current token and follows the token's rotations."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from keyturn_client.errors import TokenUnavailable
from keyturn_client.exec_child import CannotStart
from keyturn_client.exec_options import Misused, parsed, program_of, source_of
from keyturn_client.exec_program import run_program

# As the server's command has them; a program that cannot be started is told as shells do.
MISCONFIGURED, UNREADY = 4, 5


def main() -> None:
    """The entry point of `keyturn-exec`."""
    sys.exit(run(sys.argv[1:], prog="keyturn-exec"))


def run(words: Sequence[str], *, prog: str) -> int:
    """Runs the program to its end; the exit code to end with.

    It is the program's own, 128 + n if signal n ended it. SystemExit 2 if the words are wrong.
    Call it in the main thread: it handles signals meanwhile.
    """
    given, command = parsed(words, prog=prog)
    program = program_of(given, command)
    with _said_as(prog) as log:
        try:
            return run_program(source_of(given, os.environ, program.every), program)
        except Misused as error:
            said, code = str(error), MISCONFIGURED
        except TokenUnavailable as error:
            said, code = str(error), UNREADY
        except CannotStart as error:
            said, code = str(error), error.code
        log.error("%s", said)
        return code


@contextmanager
def _said_as(prog: str) -> Iterator[logging.Logger]:
    """What is logged here goes to stderr, a line each, with the command's name before it."""
    log = logging.getLogger("keyturn_client")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"{prog}: %(message)s"))
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield log
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before
