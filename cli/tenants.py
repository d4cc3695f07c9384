"""keyturn admin and tenants: who there is, and what a tenant allows."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import typer
from pydantic import TypeAdapter

from cli.output import as_json, reported, said, table
from cli.session import (
    AsJson,
    DataDir,
    TenantName,
    duration,
    operator,
    runtime_for,
    said_by,
    settings_with,
)
from core.durations import write_duration
from core.errors import InvalidInput
from core.manifests import Email, Name
from core.parsing import parse
from services import bootstrap
from services.tenants import Limits, set_limits

admin = typer.Typer(no_args_is_help=True, help="The first admin.")
tenants = typer.Typer(no_args_is_help=True, help="Tenants.")

# The limits are options of the same names.
_OPTIONS = {name: f"--{name.replace('_', '-')}" for name in vars(Limits())}


@admin.command("bootstrap")
def admin_bootstrap(
    out_file: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="Where the token is written, 0600.")
    ],
    tenant: Annotated[str, typer.Option(help="The tenant's name.")] = "default",
    email: Annotated[str, typer.Option(help="The admin's e-mail address.")] = "admin@localhost",
    data_dir: DataDir = None,
) -> None:
    """Makes the tenant if need be, and its first admin, once; the token is valid for 30 days."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        _check_tenant("--tenant", tenant, email)
        _check_folder("--out", out_file)
        bootstrap.ensure_installation(runtime)
        tenant_id = bootstrap.ensure_tenant(runtime, tenant, limits=Limits(), admin_email=email)
        bootstrap.bootstrap_admin(runtime, tenant_id, out_file)
        said(f"The first admin's token is in {out_file}.")


@tenants.command("create")
def tenants_create(
    name: Annotated[str, typer.Argument(help="The tenant's name.")],
    email: Annotated[str, typer.Option(help="Its admin's e-mail address.")],
    data_dir: DataDir = None,
) -> None:
    """Makes a tenant with keys of its own; a second call changes nothing."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        _check_tenant("name", name, email)
        bootstrap.ensure_installation(runtime)
        bootstrap.ensure_tenant(runtime, name, limits=Limits(), admin_email=email)
        said(f"Tenant {name} is there.")


@tenants.command("limits")
def tenants_limits(
    smallest_interval: Annotated[str | None, typer.Option(help="30d, 12h, 90s")] = None,
    smallest_grace: Annotated[str | None, typer.Option(help="1d, 10m")] = None,
    max_hold: Annotated[str | None, typer.Option(help="The default maximum hold.")] = None,
    pick_up: Annotated[str | None, typer.Option(help="Time to pick up a late key.")] = None,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Shows a tenant's limits for rotation, and changes those that are given."""
    with (
        reported(),
        said_by(_OPTIONS),
        runtime_for(settings_with(data_dir=data_dir)) as runtime,
    ):
        now = set_limits(
            runtime,
            operator(runtime, tenant),
            smallest_interval=duration("--smallest-interval", smallest_interval),
            smallest_grace=duration("--smallest-grace", smallest_grace),
            max_hold=duration("--max-hold", max_hold),
            pick_up=duration("--pick-up", pick_up),
        )
        written = {name: write_duration(value) for name, value in vars(now).items()}
        as_json(written) if json_ else table("Limits", ("", ""), list(written.items()))


def _check_tenant(option: str, name: str, email: str) -> None:
    """The name is a part of every integration's, and the address is where the admin is found."""
    parse(TypeAdapter(Name), name, below=option)
    try:
        parse(TypeAdapter(Email), email)
    except InvalidInput:
        raise InvalidInput("--email", "give an address like you@example.com") from None


def _check_folder(option: str, path: Path) -> None:
    """That a token can be written there, before it is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InvalidInput(option, f"cannot be written: {error.strerror}") from None
