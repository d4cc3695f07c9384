"""Data keys: made per tenant, wrapped by a master key, kept unwrapped for an hour at most."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.errors import MasterKeyMissing
from core.sealing import DataKey, MasterKeys, data_key_number, row_identity
from models import Tenant, WrappedKey
from services.database import Database

_KEPT = timedelta(hours=1)
# A process that was not seen for this long is not counted as live.
SILENT = timedelta(seconds=30)


@dataclass(frozen=True)
class Signing:
    """In whose name JWTs are signed, and for how long with one key."""

    issuer: str = ""
    longest: timedelta = timedelta(days=90)


class Keyring:
    """Seals and opens values of every tenant. Unwrapping happens before a use case begins."""

    def __init__(
        self,
        database: Database,
        masters: MasterKeys,
        clock: Clock,
        signing: Signing | None = None,
    ) -> None:
        self.signing = signing or Signing()
        self._database = database
        self._clock = clock
        self._masters = masters
        self._unwrapped: dict[UUID, tuple[float, dict[int, DataKey]]] = {}
        self._lock = threading.Lock()

    @property
    def master_key_ids(self) -> list[str]:
        return self._masters.ids

    def seal(self, table: str, tenant: UUID, row: UUID, value: bytes) -> bytes:
        """Seals with the tenant's newest data key, for this row alone."""
        keys = self._keys(tenant)
        if not keys:
            raise MasterKeyMissing(f"Tenant {tenant} has no data key.")
        return keys[max(keys)].seal(value, row_identity(table, tenant, row))

    def open(self, table: str, tenant: UUID, row: UUID, sealed: bytes) -> bytes:
        """Opens what was sealed for this row; SealBroken if it was not."""
        number = data_key_number(sealed)
        keys = self._keys(tenant)
        if number not in keys:
            with self._lock:
                self._unwrapped.pop(tenant, None)
            keys = self._keys(tenant)
        if number not in keys:
            raise MasterKeyMissing(f"Data key {number} of tenant {tenant} is gone.")
        return keys[number].open(sealed, row_identity(table, tenant, row))

    def make(self, session: Session, tenant: UUID, now: datetime) -> None:
        """Gives the tenant a new data key, which seals from now on."""
        newest = session.scalar(
            select(func.max(WrappedKey.number)).where(WrappedKey.tenant_id == tenant)
        )
        number = (newest or 0) + 1
        master = self._masters.first
        wrapped = master.wrap(DataKey.generate(), row_identity("data_keys", tenant, number))
        session.add(
            WrappedKey(
                tenant_id=tenant,
                number=number,
                wrapped=wrapped,
                master_key_id=master.id,
                created_at=now,
            )
        )
        session.flush()
        with self._lock:
            self._unwrapped.pop(tenant, None)

    def check(self) -> None:
        """At start: every data key there is can be unwrapped; MasterKeyMissing says what lacks."""
        with self._database.reading() as session:
            for row in session.scalars(select(WrappedKey)):
                self._unwrap(row)

    def warm(self) -> None:
        """Unwraps every tenant's keys, so that no transaction has to."""
        with self._database.reading() as session:
            tenants = session.scalars(select(Tenant.id)).all()
        for tenant in tenants:
            self._keys(tenant)

    def _keys(self, tenant: UUID) -> dict[int, DataKey]:
        kept = self._unwrapped.get(tenant)
        if kept is not None and self._clock.elapsed() - kept[0] < _KEPT.total_seconds():
            return kept[1]
        with self._database.reading() as session:
            rows = session.scalars(select(WrappedKey).where(WrappedKey.tenant_id == tenant)).all()
        keys = {row.number: self._unwrap(row) for row in rows}
        if keys:
            with self._lock:
                self._unwrapped[tenant] = (self._clock.elapsed(), keys)
        return keys

    def _unwrap(self, row: WrappedKey) -> DataKey:
        master = self._masters.get(row.master_key_id)
        identity = row_identity("data_keys", row.tenant_id, row.number)
        return DataKey(row.number, master.unwrap(row.wrapped, identity))
