"""The audit log: pages, all of it as a stream, and whether its chain is whole."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from api import shapes
from api.callers import Caller, TheRuntime
from api.paging import Limit, Offset, Text
from services.audit.audit_log import Wanted, export_audit, list_audit
from services.audit.audit_verifying import check_chain

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

_LINES = "application/x-ndjson"
_Number = Annotated[int, Query(ge=0, lt=2**63)]


def _wanted(
    action: Text = "",
    subject: Text = "",
    actor: Text = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Wanted:
    return Wanted(action=action, subject=subject, actor=actor, since=since, until=until)


_Wanted = Annotated[Wanted, Depends(_wanted)]


@router.get("")
def list_(
    runtime: TheRuntime,
    actor: Caller,
    wanted: _Wanted,
    limit: Limit = 100,
    offset: Offset = 0,
    after: _Number | None = None,
) -> dict[str, Any]:
    """The newest rows first; `after` goes on behind the row of that number."""
    items, total = list_audit(runtime, actor, wanted, limit=limit, offset=offset, after=after)
    return shapes.page(items, total=total, offset=offset, limit=limit)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {_LINES: {"schema": {"type": "string"}}}}},
)
def export(
    runtime: TheRuntime, actor: Caller, wanted: _Wanted, after: _Number = 0
) -> StreamingResponse:
    """The chained rows behind number `after`, the oldest first, one JSON document a line."""
    batches = export_audit(runtime, actor, wanted, after=after)
    return StreamingResponse(_lines(batches), media_type=_LINES)


@router.get("/verify")
def verify(runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Walks the whole chain; names the first row that is wrong, if one is."""
    return check_chain(runtime, actor).as_json()


def _lines(batches: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    for batch in batches:
        yield "".join(f"{json.dumps(record)}\n" for record in batch)
