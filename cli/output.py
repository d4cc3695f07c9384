"""What the command line prints: tables for people, JSON for machines, errors that help."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from core import errors

_PIPED = 160  # columns, where nobody can say how wide the reader's window is


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED
    # What others named is shown as it is: `:key:` is no picture of one.
    return Console(stderr=stderr, soft_wrap=True, width=width, emoji=False)


out = _console()
err = _console(stderr=True)

# What exit codes mean; 2 is typer's, for a wrong command line.
REFUSED, NOT_FOUND, MISCONFIGURED, UNREADY = 1, 3, 4, 5
_CODES: list[tuple[type[errors.KeyturnError], int]] = [
    (errors.NotFound, NOT_FOUND),
    (errors.Misconfigured, MISCONFIGURED),
    (errors.Unready, UNREADY),
    (errors.KeyturnError, REFUSED),
]


@contextmanager
def reported() -> Iterator[None]:
    """Turns errors into one line on stderr and an exit code that means something."""
    try:
        yield
    except errors.KeyturnError as error:
        fail(str(error), code_of(error))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "KEYTURN_" + "_".join(str(part) for part in first["loc"]).upper()
        fail(f"{name}: {first['msg']}", MISCONFIGURED)
    except UnicodeEncodeError:
        fail("The command line holds bytes that are not text.", REFUSED)
    except DBAPIError as error:
        fail(
            f"The database does not answer as expected ({type(error.orig).__name__}): "
            "run `keyturn doctor`.",
            UNREADY,
        )


def code_of(error: errors.KeyturnError) -> int:
    """The exit code of a command that ends with this error."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def fail(message: str, code: int) -> None:
    wrong(message)
    raise typer.Exit(code)


def wrong(message: str) -> None:
    """One error of several; the command goes on to the next, then ends with a code."""
    err.print(Text.assemble(("error", "bold red"), " ", plain(message)))


def plain(text: object) -> str:
    """`text` without what a terminal would obey: a name's control characters become spaces."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def as_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout; what users named is shown as it is, never as markup."""
    shown = Text(plain(title), style="table.title")
    made = Table(title=shown, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else plain(cell)) for cell in row))
    out.print(made)


def said(message: str) -> None:
    out.print(plain(message), markup=False)


def warned(message: str) -> None:
    """To stderr, beside whatever is on stdout."""
    err.print(Text.assemble(("warning", "yellow"), " ", plain(message)))


def asked(question: str) -> None:
    """Goes on if the answer is yes. Asks on stderr: stdout may be read by a program."""
    typer.confirm(plain(question), abort=True, err=True)
