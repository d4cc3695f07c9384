"""Where a report of a leaked token came from."""

from typing import NamedTuple
from uuid import UUID

from core.actors import Actor, ActorKind

_REPORTER = "a leak report"
REVOKED = "it was revoked"


class Whence(NamedTuple):
    """The address and the call; nobody has to say who they are."""

    address: str | None
    request_id: str | None

    def actor(self, tenant_id: UUID) -> Actor:
        return Actor(
            tenant_id,
            ActorKind.REPORT,
            _REPORTER,
            address=self.address,
            request_id=self.request_id,
        )

    @property
    def told(self) -> str:
        return f"{_REPORTER} from {self.address}" if self.address else _REPORTER
