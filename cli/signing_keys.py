"""keyturn signing-keys: what JWTs are signed with."""

from typing import Annotated

import typer

from cli.output import as_json, reported, said, table
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from services.engine import signing

app = typer.Typer(no_args_is_help=True, help="Keys that JWTs are signed with.")


@app.command("list")
def list_(data_dir: DataDir = None, tenant: TenantName = None, json_: AsJson = False) -> None:
    """The tenant's keys that are published, the newest first."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        rows = [
            {
                "kid": key.kid,
                "algorithm": key.algorithm,
                "state": key.state,
                "signs_from": key.signs_from.isoformat(timespec="seconds"),
            }
            for key in signing.list_signing_keys(runtime, operator(runtime, tenant))
        ]
        if json_:
            as_json(rows)
        else:
            columns = ("kid", "algorithm", "state", "signs_from")
            table("Signing keys", columns, [tuple(row.values()) for row in rows])


@app.command("rotate")
def rotate(
    now: Annotated[
        bool, typer.Option("--now", help="The new key signs at once, not after ten minutes.")
    ] = False,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """A new key, published now; the old one is published while tokens that it signed may work."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        key = signing.rotate_signing_key(runtime, operator(runtime, tenant), at_once=now)
        if json_:
            as_json({"kid": key.kid, "algorithm": key.algorithm, "state": key.state})
        else:
            moment = key.signs_from.isoformat(timespec="seconds")
            said(f"The new key {key.kid} signs from {moment} on.")
