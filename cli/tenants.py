"""keyturn admin and tenants: who there is, and what a tenant allows."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from cli.manifest_files import read_targets
from cli.output import as_json, reported, said, table, warned
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
from core.fields import Email, Name
from core.leaks import OnLeak
from core.parsing import parse
from services.operation import admin_reset, bootstrap
from services.operation.tenants import Limits, Settled, set_limits
from services.people import sign_in

admin = typer.Typer(no_args_is_help=True, help="The first admin.")
tenants = typer.Typer(no_args_is_help=True, help="Tenants.")

# The limits are options of the same names.
_OPTIONS = {name: f"--{name.replace('_', '-')}" for name in vars(Limits())}
_IN_A_FILE = "notification_targets"  # an error in it says where
_DIGITS = 9


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


@admin.command("reset")
def admin_reset_(
    email: Annotated[str, typer.Option(help="Who is to be an admin.")],
    out_file: Annotated[
        Path, typer.Option("--out", dir_okay=False, help="Where the new token is written, 0600.")
    ],
    data_dir: DataDir = None,
    tenant: TenantName = None,
) -> None:
    """Nobody can act as an admin any more: makes this person one, and renews keyturn-admin."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        _check_email(email)
        _check_folder("--out", out_file)
        token = admin_reset.reset_admin(runtime, operator(runtime, tenant), email)
        bootstrap.write_secret(out_file, token.reveal() + "\n")
        said(f"{email.lower()} is an active tenant-admin.")
        said(f"The new token of {bootstrap.ADMIN} is in {out_file}.")


@admin.command("sign-in-link")
def admin_sign_in_link(
    email: Annotated[
        str | None, typer.Option(help="Who signs in; not needed if there is one admin.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Where the console is reached; KEYTURN_PUBLIC_URL if not.")
    ] = None,
    data_dir: DataDir = None,
    tenant: TenantName = None,
) -> None:
    """Prints a link that signs this person in at the console, once and within 15 minutes."""
    with (
        reported(),
        said_by({"email": "--email", "url": "--url"}),
        runtime_for(settings_with(data_dir=data_dir)) as runtime,
    ):
        home = (url or runtime.settings.public_url).rstrip("/")
        said(
            sign_in.sign_in_link(
                runtime, operator(runtime, tenant), email, page_url=f"{home}{sign_in.WELCOME}"
            )
        )


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
    default_grace: Annotated[
        str | None, typer.Option(help="The grace where a manifest says none.")
    ] = None,
    session_length: Annotated[str | None, typer.Option(help="How long a login works.")] = None,
    pat_longest_life: Annotated[
        str | None, typer.Option(help="Of a personal access token; none: no limit.")
    ] = None,
    pat_most_per_user: Annotated[
        str | None, typer.Option(help="Personal access tokens of a person; none: no limit.")
    ] = None,
    jwt_algorithm: Annotated[
        str | None, typer.Option(help="What JWTs are signed by: EdDSA or RS256.")
    ] = None,
    on_leak: Annotated[
        str | None, typer.Option(help="Of a token reported as leaked: revoke, rotate or tell.")
    ] = None,
    notification_targets: Annotated[
        str | None,
        typer.Option(
            help="A YAML file with who is told of accounts without targets; none: nobody."
        ),
    ] = None,
    shorten: Annotated[
        bool, typer.Option("--shorten", help="Longer personal access tokens are shortened.")
    ] = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Shows a tenant's limits, and changes those that are given."""
    with (
        reported(),
        said_by({name: option for name, option in _OPTIONS.items() if name != _IN_A_FILE}),
        runtime_for(settings_with(data_dir=data_dir)) as runtime,
    ):
        given: dict[str, str | None] = {
            "smallest_interval": smallest_interval,
            "smallest_grace": smallest_grace,
            "max_hold": max_hold,
            "pick_up": pick_up,
            "default_grace": default_grace,
            "session_length": session_length,
            "pat_longest_life": pat_longest_life,
            "pat_most_per_user": pat_most_per_user,
            "jwt_algorithm": jwt_algorithm,
            "on_leak": on_leak,
            "notification_targets": notification_targets,
        }
        changes = {name: _limit(name, text) for name, text in given.items() if text is not None}
        settled = set_limits(runtime, operator(runtime, tenant), changes, shorten=shorten)
        _show(settled, json_=json_)
        if settled.total:
            done = "shortened" if shorten else "left as they are (--shorten shortens them)"
            warned(f"Personal access tokens that go on for longer, {done}: {settled.total}.")


def _limit(name: str, text: str) -> Any:
    """A limit as it was typed; `none` where there may be none."""
    if name == "jwt_algorithm":
        return text
    if name == "on_leak":
        return _one_of(OnLeak, _OPTIONS[name], text)
    if name == _IN_A_FILE:
        return [] if text == "none" else read_targets(_OPTIONS[name], Path(text))
    if name.startswith("pat_") and text == "none":
        return None
    if name != "pat_most_per_user":
        return duration(_OPTIONS[name], text)
    if not text.isdecimal() or len(text) > _DIGITS:
        raise InvalidInput(_OPTIONS[name], "give a number, or none")
    return int(text)


def _one_of(choices: type[OnLeak], option: str, text: str) -> OnLeak:
    try:
        return choices(text)
    except ValueError:
        raise InvalidInput(option, f"give one of {', '.join(choices)}") from None


def _show(settled: Settled, *, json_: bool) -> None:
    written = {
        name: write_duration(value) if isinstance(value, timedelta) else value
        for name, value in vars(settled.limits).items()
    }
    if json_:
        as_json(written)
    else:
        shown = [(name, _shown(value)) for name, value in written.items()]
        table("Limits", ("", ""), shown)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        value = ", ".join(str(target["notification_channel"]) for target in value)
    return "none" if value in {None, ""} else str(value)


def _check_tenant(option: str, name: str, email: str) -> None:
    """The name is a part of every integration's, and the address is where the admin is found."""
    parse(TypeAdapter(Name), name, below=option)
    _check_email(email)


def _check_email(email: str) -> None:
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
