"""Identities: time-ordered row ids, and the names of what Keyturn writes into stores."""

import os
import time
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID, uuid5

_NOTICES = UUID("7f1f6f0e-6d0e-5b7e-9d35-0a6d8c1f4b7a")


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562): new rows land at the end of their index."""
    random = int.from_bytes(os.urandom(10), "big")
    return UUID(
        int=(time.time_ns() // 1_000_000) << 80
        | 0x7 << 76
        | (random >> 68) << 64
        | 0b10 << 62
        | (random & (1 << 62) - 1)
    )


@lru_cache(4_096)  # a batch tells the same few people again and again
def recipient_id(lane: UUID, address: str) -> UUID:
    """The identity of one recipient on one lane: the same event never goes to it twice."""
    return uuid5(_NOTICES, f"{lane}\n{address}")


@dataclass(frozen=True, order=True)
class Mark:
    """What a stored copy bears: which installation epoch, revision and place it is.

    Marks of one place are ordered: a higher epoch wins over any revision.
    """

    epoch: int
    revision: int
    place: UUID

    def version_id(self) -> str:
        """The store's native version id: 51 characters; the same mark gives the same id."""
        return f"{self.place.hex}-{self.epoch:05d}-{self.revision:012d}"

    @classmethod
    def of_version_id(cls, text: str) -> "Mark | None":
        """Reads a version id back; None if Keyturn did not make it."""
        try:
            place, epoch, revision = text.split("-")
            mark = cls(epoch=int(epoch), revision=int(revision), place=UUID(hex=place))
        except ValueError:
            return None
        return mark if mark.version_id() == text else None
