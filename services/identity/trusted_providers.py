"""The identity providers of all tenants, as one process knows them."""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select

from core.clock import Clock
from core.errors import InvalidInput
from core.provider_manifests import IdentityProviderManifest, parse_provider
from models import Audience, IdentityProvider, Tenant
from services.changes import PROVIDERS
from services.database import Database

log = structlog.get_logger(__name__)

_PERIOD = 1.0  # seconds that it is believed by a process that hears of no changes


@dataclass(frozen=True)
class Trusted:
    """One of them, with whose it is."""

    tenant_id: UUID
    tenant: str
    id: UUID
    manifest: IdentityProviderManifest = field(repr=False)
    source: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return self.manifest.name


class TrustedProviders:
    """Spares the database JWTs of nobody's issuer; whom one speaks for the database says.

    It is read again once it was heard that one of them changed, and after a second anyway.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._heard = 0
        self._read_at = float("-inf")
        self._by_id: dict[UUID, Trusted] = {}
        self._by_audience: dict[tuple[str, str], Trusted] = {}
        self._issuers: dict[str, set[UUID]] = {}

    def hear(self, subjects: Collection[UUID]) -> None:
        """These have changed, as verifiers hear it; any thread may say so."""
        if PROVIDERS in subjects:
            self.forget()

    def forget(self) -> None:
        """What was read before now is not believed any more."""
        with self._lock:
            self._heard += 1
            self._read_at = float("-inf")

    def know(self, issuer: str, tenant_id: UUID | None = None) -> bool:
        """Whether anybody trusts this issuer, or this tenant does."""
        self._read_if_old()
        trusting = self._issuers.get(issuer, set())
        return bool(trusting) if tenant_id is None else tenant_id in trusting

    def of(self, issuer: str, audiences: Iterable[str]) -> list[Trusted]:
        """Those to whom a JWT of this issuer and for these audiences can belong."""
        self._read_if_old()
        by_audience = self._by_audience
        found = (by_audience.get((issuer, audience)) for audience in audiences)
        return list({one.id: one for one in found if one is not None}.values())

    def get(self, provider_id: UUID) -> Trusted | None:
        """The one of this id."""
        self._read_if_old()
        return self._by_id.get(provider_id)

    def _read_if_old(self) -> None:
        if self._clock.elapsed() < self._read_at + _PERIOD:
            return
        with self._lock:
            heard = self._heard
        began = self._clock.elapsed()
        by_id, by_audience = self._read()
        issuers: dict[str, set[UUID]] = {}
        for (issuer, _), one in by_audience.items():
            issuers.setdefault(issuer, set()).add(one.tenant_id)
        with self._lock:
            self._by_id, self._by_audience, self._issuers = by_id, by_audience, issuers
            if self._heard == heard:  # else somebody changed one meanwhile
                self._read_at = began

    def _read(self) -> tuple[dict[UUID, Trusted], dict[tuple[str, str], Trusted]]:
        with self._database.reading() as session:
            rows = session.execute(
                select(IdentityProvider, Tenant.name, Audience.issuer, Audience.audience)
                .join(Tenant, Tenant.id == IdentityProvider.tenant_id)
                .join(
                    Audience,
                    (Audience.provider_id == IdentityProvider.id)
                    & (Audience.tenant_id == IdentityProvider.tenant_id),
                )
            ).all()
        read = {row.id: self._trusted(row, tenant) for row, tenant, *_ in rows}
        by_id = {key: one for key, one in read.items() if one is not None}
        by_audience = {
            (issuer, audience): by_id[row.id]
            for row, _, issuer, audience in rows
            if row.id in by_id
        }
        return by_id, by_audience

    def _trusted(self, row: IdentityProvider, tenant: str) -> Trusted | None:
        known = self._by_id.get(row.id)
        if known is not None and known.source == row.manifest:
            return known
        try:
            manifest = parse_provider(row.manifest)
        except InvalidInput as error:  # another release wrote it
            log.warning("identity-provider.unreadable", name=row.name, error=str(error))
            return None
        return Trusted(row.tenant_id, tenant, row.id, manifest, row.manifest)
