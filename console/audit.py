"""The audit log: looked back at with filters, and taken home as JSON lines."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from console.activity import tabs
from console.looking_back import LIMIT, Back
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from services.audit.audit_log import Wanted, export_audit, look_back

router = APIRouter(prefix="/activity/audit")

_FILTERS = ("action", "subject", "actor", "since", "until")


def _wanted(back: Back) -> Wanted:
    return Wanted(
        action=back.filters["action"],
        subject=back.filters["subject"],
        actor=back.filters["actor"],
        since=back.moment("since"),
        until=back.moment("until"),
    )


@router.get("")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Who did what to what, the newest first."""
    back = Back.of(request, _FILTERS)
    page = look_back(runtime, actor, _wanted(back), before=back.before, limit=LIMIT)
    return show("activity/audit.html", back=back, found=page, tabs=tabs(actor))


@router.get("/export")
def export(request: Request, runtime: TheRuntime, actor: SignedIn) -> Response:
    """The chained rows that the filters let through, the oldest first, one document a line."""
    batches = export_audit(runtime, actor, _wanted(Back.of(request, _FILTERS)))
    name = f"audit-{runtime.now().date().isoformat()}.jsonl"
    return StreamingResponse(
        _lines(batches),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(batches: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    for batch in batches:
        yield "".join(f"{json.dumps(record)}\n" for record in batch)
