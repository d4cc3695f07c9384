"""The `keyturn` command."""

import sys
from io import TextIOWrapper

import typer

from cli import (
    accounts,
    audit,
    channels,
    deliveries,
    exec_command,
    identity_providers,
    operate,
    planning,
    run,
    signing_keys,
    tenants,
)
from cli.apply import apply

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Issues API keys, and turns the machines' keys on schedule without an outage.",
)
app.command()(run.up)
app.command()(run.api)
app.command()(run.worker)
app.command()(run.beat)
app.command()(operate.migrate)
app.command()(operate.doctor)
app.command("plan")(planning.plan_)
app.command()(operate.plugins)
app.command()(operate.recover)
app.command()(apply)
app.command("exec", cls=exec_command.Verbatim)(exec_command.exec_)
app.add_typer(accounts.app, name="accounts")
app.add_typer(audit.app, name="audit")
app.add_typer(channels.app, name="channels")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(identity_providers.app, name="identity-providers")
app.add_typer(operate.lanes, name="lanes")
app.add_typer(operate.keys, name="keys")
app.add_typer(signing_keys.app, name="signing-keys")
app.add_typer(tenants.admin, name="admin")
app.add_typer(tenants.tenants, name="tenants")
app.add_typer(operate.clock, name="clock")


def main() -> None:
    """The entry point of the distribution."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the reader's encoding lacks becomes a "?"
            stream.reconfigure(errors="replace")
    app()
