"""What has happened lately, for all who wait in one process: one query, however many they are."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from models import Event
from services.runtime import Runtime

_MOST = 2_000  # of a look; more is as if everything had changed
# An event is dated before its commit: what is committed this much later is still found.
_OVERLAP = timedelta(seconds=10)


@dataclass(frozen=True)
class Heard:
    """Whose things have changed. `is_much`: more than is worth telling apart."""

    tenants: Collection[UUID] = ()
    accounts: Collection[UUID] = ()
    is_much: bool = False

    def concerns(self, tenant_id: UUID, account_id: UUID | None) -> bool:
        """Whether somebody has to look again who looks at this account, or at the whole tenant."""
        if self.is_much:
            return True
        return account_id in self.accounts if account_id else tenant_id in self.tenants


class EventFeed:
    """Each look answers what no earlier one has. It says where to look, and decides nothing."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seen: frozenset[UUID] = frozenset()
        self._since: datetime | None = None

    def look(self) -> Heard:
        """What has happened since the last look; the first one answers nothing."""
        now = self._runtime.now()
        since = (self._since or now) - _OVERLAP
        with self._runtime.database.reading() as session:
            rows = session.execute(
                select(Event.id, Event.tenant_id, Event.account_id)
                .where(Event.at >= since)
                .order_by(Event.at.desc())
                .limit(_MOST)
            ).all()
        new = [row for row in rows if row.id not in self._seen]
        is_first, self._since = self._since is None, now
        self._seen = frozenset(row.id for row in rows)
        if is_first:
            return Heard()
        accounts = {row.account_id for row in new if row.account_id}
        return Heard({row.tenant_id for row in new}, accounts, is_much=len(new) == _MOST)
