"""keyturn exec: runs a program with the current token, as `keyturn-exec` of keyturn-client does."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand


class Verbatim(TyperCommand):
    """A command that gets every word as it stands, `--` and `--help` too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--", *args])


def exec_(
    words: Annotated[list[str] | None, typer.Argument(metavar="OPTIONS -- PROGRAM")] = None,
) -> None:
    """Runs a program with the current token, and follows the token's rotations."""
    from keyturn_client.exec_command import run  # noqa: PLC0415 - no other command needs httpx

    raise typer.Exit(run(words or [], prog="keyturn exec"))
