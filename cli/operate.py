"""keyturn migrate, doctor, plugins, recover, and the small groups: keys, lanes, clock."""

from typing import Annotated

import typer

from cli.output import REFUSED, as_json, asked, out, plain, reported, said, table
from cli.planning import progress
from cli.session import (
    AsJson,
    DataDir,
    TenantName,
    operator,
    operator_name,
    runtime_for,
    settings_with,
)
from core.clock import HostClock
from core.errors import KeyturnError
from core.plugins import Family, kinds, load
from core.sealing import MasterKey
from core.settings import Settings
from services.integrations import integrations
from services.operation import bootstrap, recovery
from services.operation.migrating import migrate as migrate_schema
from services.operation.pulse import trust_clock
from services.operation.rewrapping import rewrap
from services.watching.doctor import Health, examine
from workers.app import make_app

keys = typer.Typer(no_args_is_help=True, help="Master keys.")
lanes = typer.Typer(no_args_is_help=True, help="Lanes: what is sent to each destination.")
clock = typer.Typer(no_args_is_help=True, help="The clock that Keyturn goes by.")

_COLOURS = {Health.OK: "green", Health.WARNING: "yellow", Health.FAILED: "bold red"}


def migrate(data_dir: DataDir = None, json_: AsJson = False) -> None:
    """Brings the database's schema to this release. Safe to repeat, and while others run."""
    with (
        reported(),
        runtime_for(settings_with(data_dir=data_dir), needs_schema=False) as runtime,
    ):
        before, after = migrate_schema(runtime.database)
        bootstrap.ensure_installation(runtime)
        if json_:
            as_json({"before": before, "after": after})
        elif before == after:
            said(f"The schema is up to date ({after}).")
        else:
            said(f"Migrated the schema from {before or 'nothing'} to {after}.")


def doctor(data_dir: DataDir = None, json_: AsJson = False) -> None:
    """Looks at everything a working installation needs. Exit code 1 if something failed."""
    host = HostClock()  # the database's clock is one of the things that may not answer
    with (
        reported(),
        runtime_for(settings_with(data_dir=data_dir), needs_schema=False, clock=host) as runtime,
    ):
        found = []
        for finding in examine(runtime, lambda: _ask_broker(runtime.settings)):
            found.append(finding)
            if not json_:
                out.print(f"[{_COLOURS[finding.health]}]{finding.health:8}[/] ", end="")
                line = plain(f"{finding.what}: {finding.said}")
                out.print(line, markup=False, highlight=False)
                if finding.todo and finding.health is not Health.OK:
                    out.print(f"         {plain(finding.todo)}", markup=False, highlight=False)
        if json_:
            as_json([vars(finding) for finding in found])
        if any(finding.health is Health.FAILED for finding in found):
            raise typer.Exit(REFUSED)


def _ask_broker(settings: Settings) -> str:
    if not settings.broker_url:
        return "in memory, as `keyturn up` has it"
    with make_app(settings).connection_for_write(connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
    return "answers"


def plugins(json_: AsJson = False) -> None:
    """Every kind of sink and notifier that is installed."""
    rows = []
    for family in Family:
        for kind in kinds(family):
            try:
                title = load(family, kind).title
            except KeyturnError as error:
                title = str(error)
            rows.append((f"integration/{family.value}/{kind}", title))
    if json_:
        as_json([{"type": kind, "title": title} for kind, title in rows])
    else:
        table("Installed plugins", ("type", "what it is"), rows)


@keys.command("new")
def keys_new() -> None:
    """Prints a new master key, for KEYTURN_MASTER_KEYS or a file of mode 0600."""
    out.print(MasterKey.generate(), markup=False, highlight=False)


@keys.command("rotate")
def keys_rotate(data_dir: DataDir = None, json_: AsJson = False) -> None:
    """Wraps every data key with the first master key of the list; nothing stops meanwhile."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        changed = rewrap(runtime, operator_name())
        first = runtime.settings.keys().first.id
        if json_:
            as_json({"rewrapped": changed, "master_key": first})
        else:
            said(f"{changed} data keys are now wrapped with master key {first}.")


def recover(
    lost_key: Annotated[
        bool, typer.Option("--lost-key", help="The master key is lost; a new one is configured.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    json_: AsJson = False,
) -> None:
    """After a restored database or a lost master key: every account's key is turned."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        total = recovery.count_accounts(runtime)
        if not yes:
            asked(f"Turn the keys of all {total} accounts now?")
        masters = runtime.settings.keys()
        forgotten = recovery.replace_lost_keys(runtime, masters) if lost_key else []
        epoch = recovery.raise_epoch(runtime)
        turned = 0
        with progress(json_) as bars:
            bar = bars.add_task("Turning keys", total=total)
            for batch in recovery.turn_every_key(runtime, "recovery"):
                turned += batch
                bars.advance(bar, batch)
        if json_:
            as_json({"epoch": epoch, "turned": turned, "enter_again": forgotten})
            return
        said(f"{turned} keys turned; this is epoch {epoch} of the installation.")
        if forgotten:
            table("Apply these integrations again", ("integration",), [(fqn,) for fqn in forgotten])


@lanes.command("list")
def lanes_list(data_dir: DataDir = None, tenant: TenantName = None, json_: AsJson = False) -> None:
    """Every lane with its state."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        rows = [
            {
                "id": str(lane.id),
                "integration": integration.fqn,
                "address": lane.address,
                "state": lane.state.value,
                "failures": lane.failures,
                "error": lane.paused_because or lane.last_error,
            }
            for integration, found in integrations.list_integrations(runtime, actor)
            for lane in found
        ]
        if json_:
            as_json(rows)
        else:
            columns = ("id", "integration", "address", "state", "failures", "error")
            table("Lanes", columns, [tuple(row.values()) for row in rows])


@lanes.command("resume")
def lanes_resume(lane: str, data_dir: DataDir = None, tenant: TenantName = None) -> None:
    """A paused lane sends again."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        integrations.resume_lane(runtime, operator(runtime, tenant), lane)
        said("The lane sends again.")


@lanes.command("pause")
def lanes_pause(lane: str, data_dir: DataDir = None, tenant: TenantName = None) -> None:
    """Nothing is sent on this lane until it is resumed."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        integrations.pause_lane(runtime, operator(runtime, tenant), lane)
        said("The lane is paused.")


@clock.command("trust")
def clock_trust(data_dir: DataDir = None) -> None:
    """Says that the clock is right after it was stepped; rotation goes on within seconds."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        trust_clock(runtime, operator_name())
        said("The clock is trusted again.")
