"""The `keyturn` command."""

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from cli.exec_command import Verbatim

# Where each is, in the order of the help.
_COMMANDS = {
    "up": "cli.run:up",
    "api": "cli.run:api",
    "worker": "cli.run:worker",
    "beat": "cli.run:beat",
    "migrate": "cli.operate:migrate",
    "doctor": "cli.operate:doctor",
    "plan": "cli.planning:plan_",
    "plugins": "cli.operate:plugins",
    "recover": "cli.operate:recover",
    "apply": "cli.apply:apply",
    "exec": "cli.exec_command:exec_",
    "accounts": "cli.accounts:app",
    "audit": "cli.audit:app",
    "channels": "cli.channels:app",
    "deliveries": "cli.deliveries:app",
    "identity-providers": "cli.identity_providers:app",
    "lanes": "cli.operate:lanes",
    "keys": "cli.operate:keys",
    "signing-keys": "cli.signing_keys:app",
    "admin": "cli.tenants:admin",
    "tenants": "cli.tenants:tenants",
    "clock": "cli.operate:clock",
}


class Commands(TyperGroup):
    """Imports a command when it is called: a worker keeps none of the others in memory."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            made: Any = get_group(found)
            made.name = cmd_name
            return made
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name, cls=Verbatim if cmd_name == "exec" else None)(found)
        return get_command(alone)


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def keyturn() -> None:
    """Issues API keys, and turns the machines' keys on schedule without an outage."""


def main() -> None:
    """The entry point of the distribution."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the reader's encoding lacks becomes a "?"
            stream.reconfigure(errors="replace")
    app()
