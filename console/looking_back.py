"""Where somebody is who looks back in time: what they look for, and behind which moment.

All of it stands in the page's address, as with lists.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urlencode

from starlette.requests import Request

from services.watching.looking_back import Mark

LIMIT = 50

_LONGEST = 320


@dataclass(frozen=True)
class Back:
    """One view of what has happened. `filters` are its own, each with its word or empty."""

    path: str
    filters: Mapping[str, str] = field(default_factory=dict)
    before: Mark | None = None

    @classmethod
    def of(cls, request: Request, filters: Collection[str]) -> Self:
        """As the address says; what it says wrongly is left out."""
        query = request.query_params
        return cls(
            path=request.url.path,
            filters={key: query.get(key, "")[:_LONGEST].strip() for key in filters},
            before=Mark.read(query.get("before", "")[:_LONGEST]),
        )

    @property
    def is_narrowed(self) -> bool:
        return any(self.filters.values())

    @property
    def here(self) -> str:
        """The address of this page."""
        return self._at(self.before)

    @property
    def newest(self) -> str:
        """The address of the same view from its beginning."""
        return self._at(None)

    def behind(self, mark: Mark) -> str:
        """The address of the page that follows."""
        return self._at(mark)

    def moment(self, name: str) -> datetime | None:
        """The moment that a filter says, UTC; None if it says none."""
        try:
            given = datetime.fromisoformat(self.filters.get(name, ""))
        except ValueError:
            return None
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)

    def query(self) -> str:
        """The filters as an address has them, for another page about the same."""
        return urlencode({key: value for key, value in self.filters.items() if value})

    def _at(self, mark: Mark | None) -> str:
        asked = {**self.filters, "before": str(mark) if mark else ""}
        query = urlencode({key: value for key, value in asked.items() if value})
        return f"{self.path}?{query}" if query else self.path
