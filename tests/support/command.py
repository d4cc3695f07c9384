"""The `keyturn` command, run in this process as a shell would run it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app


@dataclass(frozen=True)
class Ended:
    """What one command left behind."""

    code: int
    out: str
    err: str


class Keyturn:
    """Runs commands with the environment of this process. A traceback is the test's own."""

    def __init__(self) -> None:
        self._runner = CliRunner()

    def __call__(self, *words: str, answers: str | None = None) -> Ended:
        """One command to its end; `answers` is what somebody types or pipes in."""
        result = self._runner.invoke(app, words, input=answers)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def said(self, *words: str) -> str:
        """What a command that must succeed prints."""
        ended = self(*words)
        assert ended.code == 0, ended.err
        return ended.out

    def json(self, *words: str) -> Any:
        """The one document that a command which must succeed prints with --json."""
        return json.loads(self.said(*words, "--json"))

    def refused(self, *words: str, code: int) -> str:
        """What a command says on stderr that must end with this code, nothing on stdout."""
        ended = self(*words)
        assert (ended.code, ended.out) == (code, ""), ended
        return ended.err


def commands() -> dict[str, set[str]]:
    """Every command, `accounts list` for example, with its long options."""
    return dict(_below(get_command(app), ""))


def _below(command: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    if not hasattr(command, "list_commands"):
        options = {option for one in command.params for option in one.opts if option[:2] == "--"}
        yield path, options - {"--help"}
        return
    for name in command.list_commands(None):
        yield from _below(command.get_command(None, name), f"{path} {name}".strip())
