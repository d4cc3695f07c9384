"""Entity tags: what a client read, so that its change can be refused if that has changed since."""

import json
from hashlib import sha256
from typing import Any
from uuid import UUID

from core.errors import Stale


def etag_of(row_id: UUID, manifest: dict[str, Any]) -> str:
    """The tag of a thing as its manifest describes it.

    What Keyturn itself does to the thing, such as rotating its token, does not change it.
    """
    written = json.dumps([str(row_id), manifest], sort_keys=True, separators=(",", ":"))
    return f'"{sha256(written.encode()).hexdigest()[:32]}"'


def check_match(if_match: str | None, tag: str | None) -> None:
    """Stale unless the If-Match header allows a change of what has this tag (None: nothing)."""
    if if_match is None:
        return
    asked = {one.strip() for one in if_match.split(",")}
    if tag is None or not asked & {"*", tag}:
        raise Stale
