"""The contract of a notifier: a way to tell people.

A notice can repeat only if the process dies between the send and its record; it then
carries the same dedup key (Message-ID and the like), so that the receiver can tell.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from core.events import EventType, Severity
from core.plugins import Family, Plugin, Ports

MOST_IN_DIGEST = 500
"""How many notices one message of a channel with digests holds at most."""


@dataclass(frozen=True)
class Notice:
    """One fact for one recipient. Never holds a token.

    `facts` are the event's own; `key` is the same whenever this notice is sent again.
    `acknowledge` is a one-time link by which its reader takes the rotation over, or nothing.
    `timezone` is the reader's; `templates` are the operator's own texts, if there are any.
    """

    key: UUID
    type: EventType
    severity: Severity
    at: datetime
    tenant: str
    facts: Mapping[str, Any]
    link: str
    acknowledge: str = field(default="", repr=False)
    timezone: str = "UTC"
    templates: Path | None = None


@dataclass(frozen=True)
class Digest:
    """Several facts for one recipient, as one message.

    `notices` are the worst first. `key` is the same whenever this digest is sent again, and then
    it holds the same notices.
    """

    key: UUID
    tenant: str
    notices: tuple[Notice, ...]
    link: str

    @property
    def severity(self) -> Severity:
        """That of the worst."""
        return self.notices[0].severity

    @property
    def at(self) -> datetime:
        """When the newest of them happened."""
        return max(notice.at for notice in self.notices)

    @property
    def counts(self) -> Mapping[EventType, int]:
        """How many there are of each type, the worst type first."""
        return Counter(notice.type for notice in self.notices)


class Notifier(Plugin):
    """One channel."""

    family: ClassVar[Family] = Family.NOTIFIER
    most_in_digest: ClassVar[int] = 1
    """How many notices one message may hold; with 1 each goes alone, at once."""

    def lane_address(self, address: str) -> str:
        """Which of this integration's lanes a recipient is on; one for all by default."""
        return ""

    def send(self, notice: Notice, address: str, ports: Ports) -> str | None:
        """Tells `address`; returns once the other side has taken it over.

        Best with a sentence that says what it answered, without a secret.
        """
        raise NotImplementedError

    def send_digest(self, digest: Digest, address: str, ports: Ports) -> None:
        """Tells `address` all of it in one message, if this channel has such.

        Here each goes alone, under its own key. A channel that has digests does better, and says
        so by `most_in_digest`: only then is it given any.
        """
        for notice in digest.notices:
            self.send(notice, address, ports)
