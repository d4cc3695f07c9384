"""What the command line prints: tables for people, JSON for machines, errors that help."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from core import errors

_PIPED = 160  # columns, where nobody can say how wide the reader's window is


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, soft_wrap=True, width=None if stream.isatty() else _PIPED)


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
        fail(str(error), next(code for kind, code in _CODES if isinstance(error, kind)))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "KEYTURN_" + "_".join(str(part) for part in first["loc"]).upper()
        fail(f"{name}: {first['msg']}", MISCONFIGURED)
    except DBAPIError as error:
        fail(
            f"The database does not answer as expected ({type(error.orig).__name__}): "
            "run `keyturn doctor`.",
            UNREADY,
        )


def fail(message: str, code: int) -> None:
    err.print(f"[bold red]error[/] {escape(message)}")
    raise typer.Exit(code)


def as_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout; what users named is shown as it is, never as markup."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    out.print(made)


def said(message: str) -> None:
    out.print(escape(message))
