"""keyturn accounts uses: who uses an account's tokens."""

from typing import Annotated

import typer

from cli import account_facts
from cli.output import as_json, reported, said, table
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from services.accounts import account_views
from services.accounts.account_uses import AccountUses, uses_of_account
from services.verify.uses import Uses


def uses(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Who uses the account's tokens: by generation how often, when last, and by whom."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        account = account_views.find_account(runtime, actor, name).account.id
        found = uses_of_account(runtime, actor, account)
        if json_:
            as_json(_facts(found))
            return
        _print(name, found)


def _print(name: str, found: AccountUses) -> None:
    last = account_facts.when(found.total.last_used_at)
    said(
        f"{name} was used {found.total.count} times, last at {last}" if last else f"{name}: no use"
    )
    generations = [
        (
            one.token.generation,
            one.token.state.value,
            one.uses.count,
            one.late.count,
            account_facts.when(one.uses.last_used_at),
        )
        for one in found.generations
        if one.uses.count
    ]
    if generations:
        columns = ("generation", "state", "uses", "since its successor", "last used")
        table("By generation, newest first", columns, generations)
    callers = [
        (
            generation,
            caller.address,
            caller.user_agent,
            caller.surface,
            seen.times,
            account_facts.when(seen.last_used_at),
        )
        for generation, uses in _named(found)
        for caller, seen in uses.callers
    ]
    if callers:
        named = ("generation", "address", "user agent", "surface", "uses", "last used")
        table("Callers", named, callers)


def _named(found: AccountUses) -> list[tuple[object, Uses]]:
    named: list[tuple[object, Uses]] = [
        (one.token.generation, one.uses) for one in found.generations
    ]
    return [*named, ("exchanged", found.exchanged)]


def _facts(found: AccountUses) -> dict[str, object]:
    return {
        **_counted(found.total),
        "generations": [
            {
                "generation": one.token.generation,
                "state": one.token.state.value,
                **_counted(one.uses),
                "since_successor": _counted(one.late),
            }
            for one in found.generations
        ],
        "exchanged": _counted(found.exchanged),
    }


def _counted(uses: Uses) -> dict[str, object]:
    return {
        "count": uses.count,
        "last_used_at": account_facts.when(uses.last_used_at),
        "callers": [
            {
                **caller._asdict(),
                "count": seen.times,
                "last_used_at": account_facts.when(seen.last_used_at),
            }
            for caller, seen in uses.callers
        ],
    }
