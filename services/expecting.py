"""What somebody takes to be there when they write by name: nothing yet, or what they have read."""

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from core.errors import InvalidInput
from core.etags import check_match, etag_of


class Described(Protocol):
    """A row that one manifest describes."""

    @property
    def id(self) -> UUID: ...
    @property
    def manifest(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Expected:
    """`tag` is that of the manifest that was read; without one nothing is to be there."""

    tag: str = ""


NOTHING_YET = Expected()


def check_expected(expected: Expected | None, row: Described | None) -> None:
    """InvalidInput if the name is taken, Stale if somebody else has changed it or taken it away."""
    if expected is None:
        return
    if expected.tag:
        check_match(expected.tag, tag_of(row) if row is not None else None)
    elif row is not None:
        raise InvalidInput("name", "this name is taken already")


def tag_of(row: Described) -> str:
    """The tag of what is there now."""
    return etag_of(row.id, row.manifest)
