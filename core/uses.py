"""Where it is said that a token was used."""

from typing import Protocol
from uuid import UUID


class Uses(Protocol):
    """Counts the uses of tokens, in memory: it is called for each of them, and may not wait."""

    def count(
        self, token_id: UUID, address: str | None, user_agent: str | None, surface: str
    ) -> None:
        """The token was good once more: from there, by this client, on this surface."""


class NoUses:
    """Counts nothing."""

    def count(
        self, token_id: UUID, address: str | None, user_agent: str | None, surface: str
    ) -> None: ...
