"""Where somebody is in a list: what they look for, how it is sorted, and on which page.

All of it stands in the page's address, so that a list can be kept, sent, and gone back to.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlencode

from starlette.requests import Request

PAGE = 50

_LONGEST = 320
_FURTHEST = 10_000_000


@dataclass(frozen=True)
class Listing:
    """One view of a list. `filters` are the list's own, each with its word or empty."""

    path: str
    search: str = ""
    sort: str = ""
    is_descending: bool = False
    offset: int = 0
    limit: int = PAGE
    filters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request, sorts: Collection[str], filters: Collection[str] = ()) -> Self:
        """As the address says; what it says wrongly is left out. The first of `sorts` is usual."""
        query = request.query_params
        sort = query.get("sort", "")
        name = sort.removeprefix("-")
        known = name if name in sorts else next(iter(sorts), "")
        offset = query.get("offset", "")
        return cls(
            path=request.url.path,
            search=query.get("q", "")[:_LONGEST].strip(),
            sort=known,
            is_descending=sort.startswith("-") and name == known,
            offset=min(int(offset), _FURTHEST) if offset.isdecimal() else 0,
            filters={key: query.get(key, "")[:_LONGEST] for key in filters},
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether less than everything is asked for."""
        return bool(self.search) or any(self.filters.values())

    def sorted_by(self, sort: str) -> str:
        """The address of the same list sorted by this, or the other way round; its first page."""
        turned = sort == self.sort and not self.is_descending
        return self._at(f"-{sort}" if turned else sort, 0)

    def page_at(self, offset: int) -> str:
        """The address of the page that begins there."""
        return self._at(f"-{self.sort}" if self.is_descending else self.sort, max(offset, 0))

    def with_filter(self, name: str, value: str) -> str:
        """The address of the same list with this filter set so."""
        return replace(self, filters={**self.filters, name: value}).page_at(0)

    def _at(self, sort: str, offset: int) -> str:
        asked = {
            "q": self.search,
            **self.filters,
            "sort": sort,
            "offset": str(offset) if offset else "",
        }
        query = urlencode({key: value for key, value in asked.items() if value})
        return f"{self.path}?{query}" if query else self.path
