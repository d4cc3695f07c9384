"""keyturn channels: what there is to tell people by, and whether it works."""

from typing import Annotated

import typer

from cli.output import REFUSED, as_json, reported, said, table, wrong
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from core.actors import Actor
from core.errors import InvalidInput, NotFound
from core.plugins import Family
from models import Integration, Lane
from services.integrations.channel_trials import try_channel
from services.integrations.integrations import list_integrations
from services.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Notification channels.")


@app.command("list")
def list_(data_dir: DataDir = None, tenant: TenantName = None, json_: AsJson = False) -> None:
    """Every channel, with what its last check found."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        rows = [
            {
                "channel": channel.fqn,
                "type": channel.kind,
                "state": _state(lanes),
                "check": str(channel.checked.get("message") or ""),
            }
            for channel, lanes in _channels(runtime, operator(runtime, tenant))
        ]
        if json_:
            as_json(rows)
            return
        columns = ("channel", "type", "state", "last check")
        table("Notification channels", columns, [tuple(row.values()) for row in rows])


@app.command("test")
def try_(
    name: Annotated[str, typer.Argument(help="The channel's name, or its whole FQN.")],
    to: Annotated[
        str, typer.Option("--to", help="An address or a channel, where there is a choice.")
    ] = "",
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Sends a sample at once and says what was answered. Exit code 1 if it was not taken."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        channel = _named(runtime, actor, name)
        found = try_channel(runtime, actor, channel.id, to)
        if json_:
            as_json({"channel": channel.fqn, **found})
        elif found["ok"]:
            said(f"{channel.fqn}: {found['message']}")
        else:
            wrong(f"{channel.fqn}: {found['message']}")
        if not found["ok"]:
            raise typer.Exit(REFUSED)


def _channels(runtime: Runtime, actor: Actor) -> list[tuple[Integration, list[Lane]]]:
    found = list_integrations(runtime, actor)
    return [(one, lanes) for one, lanes in found if one.family is Family.NOTIFIER]


def _named(runtime: Runtime, actor: Actor, name: str) -> Integration:
    """The one channel of this FQN, or of this name if only one has it."""
    found = [one for one, _ in _channels(runtime, actor) if name in {one.fqn, one.name}]
    if not found:
        raise NotFound("notification channel", name)
    if len(found) > 1:
        names = ", ".join(one.fqn for one in found)
        raise InvalidInput("NAME", f"several have this name, so give one of {names}")
    return found[0]


def _state(lanes: list[Lane]) -> str:
    """The worst of its lanes."""
    states = sorted({lane.state.value for lane in lanes}, reverse=True)
    return states[0] if states else "unused"
