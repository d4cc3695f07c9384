"""What has happened lately, for all who wait in one process, however many they are.

Events tell at once; what leaves none is heard of when its audit row is chained, a tick later.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import AuditChain, AuditRow, Event
from services.runtime import Runtime

_Told = tuple[UUID, UUID | None]  # a tenant, and what it was about

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
        self._chained: dict[UUID, int] = {}

    def look(self, tenants: Collection[UUID] = ()) -> Heard:
        """What has happened to these tenants since the last look; their first answers nothing."""
        with self._runtime.database.reading() as session:
            events = self._events(session)
            acts = self._acts(session, tenants)
        return Heard(
            {tenant_id for tenant_id, _ in (*events, *acts)},
            {account_id for _, account_id in (*events, *acts) if account_id},
            is_much=max(len(events), len(acts)) >= _MOST,
        )

    def _events(self, session: Session) -> list[_Told]:
        now = self._runtime.now()
        since = (self._since or now) - _OVERLAP
        rows = session.execute(
            select(Event.id, Event.tenant_id, Event.account_id)
            .where(Event.at >= since)
            .order_by(Event.at.desc())
            .limit(_MOST)
        ).all()
        new = [row for row in rows if row.id not in self._seen]
        is_first, self._since = self._since is None, now
        self._seen = frozenset(row.id for row in rows)
        return [] if is_first else [(row.tenant_id, row.account_id) for row in new]

    def _acts(self, session: Session, tenants: Collection[UUID]) -> list[_Told]:
        """What the audit log tells of, by its chain: what was done to whom."""
        chain = AuditChain
        wanted = select(chain.tenant_id, chain.number).where(chain.tenant_id.in_(tenants))
        heads = {row.tenant_id: row.number for row in session.execute(wanted)}
        before, self._chained = self._chained, {one: heads.get(one, 0) for one in tenants}
        found: list[_Told] = []
        for tenant_id, number in self._chained.items():
            if number > (last := before.get(tenant_id, number)):
                subjects = session.scalars(
                    select(AuditRow.subject_id)
                    .where(AuditRow.tenant_id == tenant_id, AuditRow.number > last)
                    .limit(_MOST)
                )
                found += [(tenant_id, subject) for subject in subjects]
        return found
