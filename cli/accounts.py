"""keyturn accounts: look at virtual accounts and act on their keys."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import account_facts, account_options
from cli.acknowledging import acknowledge
from cli.output import as_json, asked, out, reported, said, table, warned
from cli.planning import rotate_all
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
from cli.stores import stores
from cli.uses import uses
from core.errors import InvalidInput
from core.tokens import Token
from services.accounts import account_life, account_views, account_warnings, accounts
from services.engine import tokens

app = typer.Typer(no_args_is_help=True, help="Virtual accounts: the machines whose keys turn.")

app.command("stores")(stores)
app.command("uses")(uses)

Name = Annotated[str, typer.Argument(help="The account's name.")]
ShowToken = Annotated[
    bool, typer.Option("--show-token", help="Print the token itself: mind who looks on.")
]


@app.command("list")
def list_(
    search: Annotated[str, typer.Option(help="Only names that contain this.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """The accounts, by name."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        views, total = account_views.list_accounts(runtime, actor, limit=limit, search=search)
        if json_:
            as_json([account_facts.facts(runtime, view) for view in views])
            return
        rows = [
            (
                view.account.name,
                account_facts.state(view),
                view.account.generation,
                account_facts.when(view.account.rotated_at),
                account_facts.when(view.account.next_rotation_at),
                len(view.tokens),
            )
            for view in views
        ]
        columns = ("name", "state", "generation", "rotated", "next rotation", "live tokens")
        table(f"{len(views)} of {total} virtual accounts", columns, rows)


@app.command()
def show(
    name: Name, data_dir: DataDir = None, tenant: TenantName = None, json_: AsJson = False
) -> None:
    """One account with its live tokens."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        view = account_views.find_account(runtime, operator(runtime, tenant), name)
        facts = account_facts.facts(runtime, view)
        for warning in account_warnings.warnings_of(runtime, view):
            warned(warning)
        if json_:
            as_json(facts)
            return
        table(name, ("", ""), [(k, v) for k, v in facts.items() if not isinstance(v, list | dict)])
        rows = [tuple(token.values()) for token in facts["tokens"]]
        table("Live tokens, newest first", ("generation", "state", "ends in", "works until"), rows)


@app.command()
def create(
    name: Name,
    interval: Annotated[str | None, typer.Option(help="Rotate this often: 90d, 12h.")] = None,
    grace: Annotated[str | None, typer.Option(help="The old token works this long.")] = None,
    schedule: Annotated[str | None, typer.Option(help="Rotate by cron: '0 3 * * MON'.")] = None,
    timezone: Annotated[str | None, typer.Option(help="The schedule's time zone.")] = None,
    store: Annotated[
        list[str] | None, typer.Option(help="A store to keep it in: INTEGRATION_FQN=PATH.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="A JSON manifest to begin with; '-' reads stdin.")
    ] = None,
    show_token: ShowToken = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Creates the account, or makes it agree with what is given."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        given: dict[str, Any] = account_options.read_manifest(manifest) if manifest else {}
        given |= {"type": "virtual-account", "name": name}
        rotate = {"interval": interval, "grace": grace, "schedule": schedule, "timezone": timezone}
        if any(rotate.values()):
            given["auto_rotate"] = {key: value for key, value in rotate.items() if value}
        if store:
            given["secret_store_configs"] = [account_options.store_of(one) for one in store]
        with said_by(account_options.rotation_options(rotate, store or [])):
            done = accounts.put_account(runtime, operator(runtime, tenant), given)
        for warning in done.warnings:
            warned(warning)
        if json_:
            as_json(account_facts.facts(runtime, done.view) | _token(done.token, show_token))
            return
        what = "created" if done.created else "updated" if done.changed else "unchanged"
        said(f"{name} {what}, generation {done.view.account.generation}")
        if done.token is not None and not show_token:
            said(f"Its token: keyturn accounts token {name}")
        _print(done.token, show_token)


@app.command()
def token(name: Name, data_dir: DataDir = None, tenant: TenantName = None) -> None:
    """Prints the current token; the audit log keeps who read it."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        view = account_views.find_account(runtime, actor, name)
        _print(tokens.read_token(runtime, actor, view.account.id), show=True)


@app.command()
def rotate(
    name: Annotated[str | None, typer.Argument(help="The account's name.")] = None,
    grace: Annotated[str | None, typer.Option(help="Instead of the account's own grace.")] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every account, or those that --search finds.")
    ] = False,
    search: Annotated[str, typer.Option(help="With --all: only names that contain this.")] = "",
    before: Annotated[
        str | None, typer.Option(help="With --all: only what was last turned before this moment.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --all: do not ask.")] = False,
    show_token: ShowToken = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Turns the key now, or the keys of all; the old tokens work through the grace."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        if all_ == (name is not None):
            raise InvalidInput("--all", "give the name of one account, or --all")
        if name is None:
            if grace is not None or show_token:
                raise InvalidInput("--all", "goes with neither --grace nor --show-token")
            rotate_all(runtime, actor, search=search, before=before, yes=yes, json_=json_)
            return
        account_id = account_views.find_account(runtime, actor, name).account.id
        length = duration("--grace", grace)
        if length is None:
            made = tokens.rotate_account(runtime, actor, account_id)
        else:
            with said_by({"gracePeriodInMinutes": "--grace"}):
                made = tokens.regenerate_token(runtime, actor, account_id, grace=length)
        view = account_views.get_account(runtime, actor, account_id)
        if json_:
            as_json(account_facts.facts(runtime, view) | _token(made, show_token))
            return
        said(f"{name} rotated to generation {view.account.generation}")
        _print(made, show_token)


@app.command()
def revoke(
    name: Name,
    generation: Annotated[int | None, typer.Option(help="Only this generation.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Ends tokens now: all of them, which suspends the account, or one generation."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        view = account_views.find_account(runtime, actor, name)
        live = {token.generation: token for token in account_facts.live(runtime, view)}
        if generation is not None and generation not in live:
            raise InvalidInput("--generation", f"{name} has no live generation {generation}")
        which = "EVERY token" if generation is None else f"generation {generation}"
        if not yes:
            asked(f"End {which} of {name} now? Its callers get 401 at once.")
        if generation is None:
            ended = tokens.revoke_all(runtime, actor, view.account.id)
        else:
            tokens.revoke_token(runtime, actor, view.account.id, live[generation].id)
            ended = 1
        as_json({"name": name, "ended": ended}) if json_ else said(f"{ended} tokens ended")


app.command()(acknowledge)


@app.command()
def pause(name: Name, data_dir: DataDir = None, tenant: TenantName = None) -> None:
    """No scheduled rotations until resumed."""
    _act(name, data_dir, tenant, account_life.pause_account)
    said(f"{name} is paused")


@app.command()
def resume(name: Name, data_dir: DataDir = None, tenant: TenantName = None) -> None:
    """Rotates on schedule again; what fell due meanwhile is due now, once."""
    _act(name, data_dir, tenant, account_life.resume_account)
    said(f"{name} rotates on schedule again")


@app.command()
def delete(
    name: Name,
    keep_copies: Annotated[
        bool, typer.Option("--keep-copies", help="Leave what Keyturn wrote in the stores.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Ends every token and removes the copies that Keyturn wrote."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        view = account_views.find_account(runtime, actor, name)
        if not yes:
            asked(
                f"Delete {name}? Its {len(account_facts.live(runtime, view))} live tokens end now."
            )
        account_life.delete_account(runtime, actor, view.account.id, keep_copies=keep_copies)
        as_json({"name": name, "deleted": True}) if json_ else said(f"{name} is deleted")


def _act(name: str, data_dir: Path | None, tenant: str | None, act: Any) -> None:
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        act(runtime, actor, account_views.find_account(runtime, actor, name).account.id)


def _token(token: Token | None, show: bool) -> dict[str, str]:
    return {"token": token.reveal()} if token is not None and show else {}


def _print(token: Token | None, show: bool) -> None:
    if token is not None and show:
        out.print(token.reveal(), markup=False, highlight=False)
