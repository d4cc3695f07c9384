"""keyturn deliveries: what was sent, what failed and why, and sending it again."""

from typing import Annotated

import typer

from cli.output import as_json, reported, said, table
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from services.delivery.delivery_log import (
    DeliveryLine,
    Shown,
    WantedDeliveries,
    delivery_story,
    list_deliveries,
)
from services.delivery.rolling_forward import roll_delivery

app = typer.Typer(no_args_is_help=True, help="Copies for secret stores, and notices for people.")

_Id = Annotated[str, typer.Argument(help="The delivery's id, as `list` shows it.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait.")] = False,
    account: Annotated[str, typer.Option(help="About this virtual account: a name or an id.")] = "",
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """The newest first; of those that wait, what is sent next."""
    shown = Shown.FAILED if failed else Shown.WAITING if waiting else Shown.ALL
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor, wanted = operator(runtime, tenant), WantedDeliveries(shown, account)
        page = list_deliveries(runtime, actor, wanted, before=None, limit=limit)
        rows = [_row(line) for line in page.items]
        if json_:
            as_json(rows)
            return
        columns = ("id", "made", "what", "account", "to", "state", "attempts", "error")
        table("Deliveries", columns, [tuple(row.values()) for row in rows])
        if page.older is not None:
            said("There are more; --limit shows more.")


@app.command("show")
def show(
    delivery_id: _Id,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """One delivery with the newest attempts that failed, and what was said."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        story = delivery_story(runtime, operator(runtime, tenant), delivery_id)
        attempts = [
            {"attempt": one.claim, "at": f"{one.at:%Y-%m-%dT%H:%M:%SZ}", "ended": one.result}
            | {"error": one.error or ""}
            for one in story.attempts
        ]
        if json_:
            as_json({**_row(story.line), "failedAttempts": attempts})
            return
        line = _row(story.line)
        said(f"{line['what']} to {line['to']}: {line['state']}. {line['error']}".strip())
        columns = ("attempt", "when", "how it ended", "what was said")
        table("Attempts that failed", columns, [tuple(one.values()) for one in attempts])


@app.command("roll-forward")
def roll_forward(delivery_id: _Id, data_dir: DataDir = None, tenant: TenantName = None) -> None:
    """Sends it again: a copy as the token that is current now, a notice as it was."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        roll_delivery(runtime, operator(runtime, tenant), delivery_id)
        said("It is on its way again.")


def _row(line: DeliveryLine) -> dict[str, str]:
    row = line.delivery
    where = row.document or row.address or ""
    return {
        "id": str(row.id),
        "made": f"{row.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "what": row.action.value,
        "account": line.account or "",
        "to": f"{line.integration} {where}".strip(),
        "state": row.state.value,
        "attempts": str(row.claim),
        "error": row.error or "",
    }
