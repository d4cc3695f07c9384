"""The contract of a notifier: a way to tell people.

A notice can repeat only if the process dies between the send and its record; it then
carries the same dedup key (Message-ID and the like), so that the receiver can tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from core.events import EventType, Severity
from core.plugins import Family, Plugin, Ports


@dataclass(frozen=True)
class Notice:
    """One fact for one recipient. Never holds a token.

    `facts` are the event's own; `key` is the same whenever this notice is sent again.
    """

    key: UUID
    type: EventType
    severity: Severity
    at: datetime
    tenant: str
    facts: Mapping[str, Any]
    link: str


class Notifier(Plugin):
    """One channel."""

    family: ClassVar[Family] = Family.NOTIFIER

    def lane_address(self, address: str) -> str:
        """Which of this integration's lanes a recipient is on; one for all by default."""
        return ""

    def send(self, notice: Notice, address: str, ports: Ports) -> None:
        """Tells `address`; returns once the other side has taken it over."""
        raise NotImplementedError
