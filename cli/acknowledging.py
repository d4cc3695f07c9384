"""keyturn accounts acknowledge: the consumers have taken a rotation over."""

from typing import Annotated

import typer

from cli.account_facts import when
from cli.output import as_json, reported, said
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, said_by, settings_with
from services.accounts import account_views
from services.notices import acknowledging


def acknowledge(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    generation: Annotated[
        int | None, typer.Option(min=1, help="What the consumers have, if it is not the newest.")
    ] = None,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """Its consumers have taken the new token over: no more warnings of the old one's end."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        account_id = account_views.find_account(runtime, actor, name).account.id
        with said_by({"generation": "--generation"}):
            done = acknowledging.acknowledge(runtime, actor, account_id, generation)
        if json_:
            as_json(
                {
                    "name": name,
                    "generations": list(done.generations),
                    "old_token_works_until": when(done.until),
                    "still_used": done.still_used,
                    "waits_for_stores": done.waits_for_stores,
                }
            )
            return
        if not done.generations:
            said(f"{name} has no old token that still works")
            return
        said(f"{name}: acknowledged; the old token works until {when(done.until)}")
        if done.still_used:
            said("It does not end earlier, as it may still be in use")
        if done.waits_for_stores:
            said("It does not end earlier, as a required store still lacks the new one")
