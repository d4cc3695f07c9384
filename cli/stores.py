"""keyturn accounts stores: where an account's token is kept, and whether it is still there."""

from typing import Annotated, Any

import typer

from cli import account_facts
from cli.output import as_json, reported, table
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from services.accounts import account_views, place_views
from services.accounts.place_views import PlaceView


def stores(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    check: Annotated[
        bool, typer.Option("--check", help="Ask the stores now what they hold, up to 10 s.")
    ] = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Where the token is kept, what each place holds, and what was found wrong there."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        account = account_views.find_account(runtime, actor, name).account.id
        look = place_views.check_places if check else place_views.list_places
        views = look(runtime, actor, account)
        if json_:
            as_json([_facts(view) for view in views])
            return
        rows = [
            (
                view.integration,
                view.path,
                view.place.confirmed_generation or "none",
                account_facts.when(view.place.confirmed_at),
                account_facts.when(view.place.checked_at),
                _state(view),
            )
            for view in views
        ]
        columns = ("store", "place", "generation", "confirmed", "checked", "state")
        table(f"{name} is kept in {len(views)} places", columns, rows)


def _state(view: PlaceView) -> str:
    if view.is_pending:
        return "on its way"
    if view.place.drift:
        return f"drifted: {view.place.drift}"
    return view.place.last_error or "as it should be"


def _facts(view: PlaceView) -> dict[str, Any]:
    place = view.place
    return {
        "store": view.integration,
        "type": view.kind,
        "path": place.path,
        "key": place.key or None,
        "required": place.required,
        "generation": place.confirmed_generation,
        "confirmed_at": account_facts.when(place.confirmed_at),
        "checked_at": account_facts.when(place.checked_at),
        "drift": place.drift,
        "error": place.last_error,
        "pending": view.is_pending,
    }
