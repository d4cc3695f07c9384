"""The port by which the built-in store's sink reaches what is kept in the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pydantic import SecretStr


@dataclass(frozen=True)
class Stored:
    """The newest version of a secret in a built-in group.

    `metadata` is what Keyturn's write left beside it, None if somebody else wrote it; `before`
    is what the last write of Keyturn's left, whoever wrote since.
    """

    id: UUID
    version: int
    metadata: Mapping[str, str] | None
    before: Mapping[str, str] | None


class SecretGroups(Protocol):
    """The built-in secret store, a tenant's groups of keys. Each call is its own transaction."""

    def newest(self, tenant: UUID, group: str, key: str) -> Stored | None:
        """The newest version there; None if nothing."""

    def put_version(
        self,
        tenant: UUID,
        group: str,
        key: str,
        value: SecretStr,
        metadata: Mapping[str, str],
        *,
        after: Stored | None,
    ) -> None:
        """The value becomes the newest version; one that is the same gets the metadata only.

        Transient unless `after` still is the newest; PlaceRefused if there is no such group.
        """

    def remove(self, tenant: UUID, group: str, key: str, *, newest: Stored) -> None:
        """Removes the secret with all its versions; Transient unless `newest` still is."""

    def count(self, tenant: UUID) -> int:
        """How many groups there are."""
