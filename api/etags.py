"""ETag and If-Match: answers say what was read, and a change can name what it was based on."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Response
from pydantic import StringConstraints

from core.etags import etag_of

IfMatch = Annotated[
    Annotated[str, StringConstraints(max_length=1_000)] | None,
    Header(alias="If-Match", description="The ETag of what this change is based on, or *."),
]


def tag(response: Response, row_id: UUID, manifest: dict[str, Any]) -> None:
    """Sends the entity tag with the answer."""
    response.headers["ETag"] = etag_of(row_id, manifest)
