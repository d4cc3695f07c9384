"""keyturn audit: who did what to what, and whether the log of it is whole."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.progress import Progress

from cli.output import REFUSED, as_json, err, reported, said, table
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from core.durations import parse_duration
from core.errors import InvalidInput
from services.audit.audit_log import Wanted, export_audit, list_audit
from services.audit.audit_verifying import verify_chain
from services.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="The audit log.")

_Action = Annotated[str, typer.Option(help="An action, or what stands before its dot.")]
_Subject = Annotated[str, typer.Option(help="What it was done to: a name, an id, or TYPE:NAME.")]
_Actor = Annotated[str, typer.Option(help="Who did it: a name, an id, or TYPE:NAME.")]
_Since = Annotated[str | None, typer.Option(help="7d, 12h ago, or a moment: 2026-03-02T09:00Z.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")] = 50,
    action: _Action = "",
    subject: _Subject = "",
    actor: _Actor = "",
    since: _Since = None,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """The newest rows first."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        wanted = Wanted(action, subject, actor, since=_moment(runtime, since))
        records, total = list_audit(runtime, operator(runtime, tenant), wanted, limit=limit)
        if json_:
            as_json(records)
            return
        rows = [
            (
                record["number"],
                f"{record['at'][:19]}Z",
                record["actor"].get("name"),
                record["action"],
                f"{record['subjectType']} {record['subjectName']}",
            )
            for record in records
        ]
        table("Audit log", ("number", "when", "who", "what", "to what"), rows)
        if total > len(records):
            said(f"{len(records)} of {total} rows; --limit shows more.")


@app.command("export")
def export(
    after: Annotated[int, typer.Option(min=0, help="Go on behind the row of this number.")] = 0,
    action: _Action = "",
    subject: _Subject = "",
    actor: _Actor = "",
    since: _Since = None,
    data_dir: DataDir = None,
    tenant: TenantName = None,
) -> None:
    """All chained rows on stdout, the oldest first, one JSON document a line."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        wanted = Wanted(action, subject, actor, since=_moment(runtime, since))
        for batch in export_audit(runtime, operator(runtime, tenant), wanted, after=after):
            sys.stdout.writelines(f"{json.dumps(record)}\n" for record in batch)


@app.command("verify")
def verify(data_dir: DataDir = None, tenant: TenantName = None, json_: AsJson = False) -> None:
    """Walks the whole chain. Exit code 1 if a row was changed, deleted, added or moved."""
    with reported(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        hidden = json_ or not err.is_terminal
        with Progress(console=err, transient=True, disable=hidden) as progress:
            bar = progress.add_task("Verifying rows", total=None)
            for verdict in verify_chain(runtime, actor):
                progress.update(bar, total=verdict.total, completed=verdict.checked)
        if json_:
            as_json(verdict.as_json())
        else:
            said(verdict.said)
            if verdict.unchained:
                said(f"{verdict.unchained} rows are not chained yet; a worker does that.")
            if verdict.ok:
                said(f"It ends with {verdict.head_hash.hex()}.")
        if not verdict.ok:
            raise typer.Exit(REFUSED)


def _moment(runtime: Runtime, text: str | None) -> datetime | None:
    """A moment, or one that lies a length of time back."""
    if text is None:
        return None
    try:
        if text[:1].isdigit() and "-" in text:
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return runtime.now() - parse_duration(text)
    except ValueError:
        raise InvalidInput(
            "--since", "give a length of time like 7d, or a moment like 2026-03-02T09:00Z"
        ) from None
