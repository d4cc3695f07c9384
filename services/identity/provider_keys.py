"""The keys that identity providers sign with, as one process knows them.

A set is fetched when a JWT first needs it, when it is five minutes old, and when a JWT names a
key that is not in it: so keys that were turned are known at once. While a provider is away, what
was fetched last is believed until it is too old. Each provider has one fetch under way at most,
in a thread of its own, so that one that hangs holds up nobody else.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import structlog

from core.backoff import wait
from core.clock import Clock
from core.dial import Dialer
from core.errors import KeyturnError, Unready
from core.jwks import VerificationKey
from core.provider_manifests import IdentityProviderManifest
from core.throttle import Throttle
from services.identity.discovery import fetch_keys
from services.identity.trusted_providers import Trusted

log = structlog.get_logger(__name__)

FRESH = 300.0  # seconds
PATIENCE = 2.5  # seconds that somebody waits for a fetch
_UNKNOWN = 6  # fetches a minute for keys that a provider may not have
_SILENT = "The keys of an identity provider are not to be had at this moment."
_WAITING = 8  # threads that wait for fetches at a time
_MOST = 10_000  # providers


class Source(NamedTuple):
    """Where a set comes from; another source is another set."""

    issuer: str
    jwks_uri: str | None
    ca_bundle: str


@dataclass
class _Known:
    """What is known of one provider's keys."""

    source: Source
    keys: Sequence[VerificationKey] = ()
    fetched_at: float = float("-inf")
    rests_until: float = float("-inf")
    failures: int = 0
    fetching: Future[None] | None = None
    said: str | None = None


class Wanted:
    """A fetch that has to be waited for before anything can be said; then ask again."""

    def __init__(self, fetching: Future[None], waiting: threading.Semaphore) -> None:
        self.fetching = fetching
        self._waiting = waiting

    def wait(self) -> None:
        """For threads, of which few may wait: Unready for the others."""
        if not self._waiting.acquire(blocking=False):
            raise Unready(_SILENT)
        try:
            with suppress(TimeoutError):
                self.fetching.result(PATIENCE)
        finally:
            self._waiting.release()


class ProviderKeys:
    """Of all providers; any thread may ask. `kept` is how old a set may be that is believed."""

    def __init__(self, dialer: Dialer, clock: Clock, kept: timedelta) -> None:
        self._dialer = dialer
        self._clock = clock
        self._kept = kept.total_seconds()
        self._known: dict[UUID, _Known] = {}
        self._unknown = Throttle(most=_UNKNOWN, period=60.0, capacity=10_000)
        self._waiting = threading.BoundedSemaphore(_WAITING)
        self._lock = threading.Lock()

    def find(
        self, provider: Trusted, kid: str, *, waited: bool = False
    ) -> Sequence[VerificationKey] | Wanted:
        """The provider's keys of this name, none if it has none.

        Unready if that is not to be had now. Who has `waited` gets no other Wanted.
        """
        with self._lock:
            known = self._of(provider)
            now = self._clock.elapsed()
            found = [key for key in known.keys if key.kid == kid]
            is_fresh = now < known.fetched_at + FRESH
            if is_fresh and found:
                return found
            if not waited and self._may_fetch(provider.id, known, now, is_fresh=is_fresh):
                return Wanted(self._fetching(provider, known), self._waiting)
            if now < known.fetched_at + self._kept and found:
                return found
            if is_fresh and not known.failures and known.fetching is None:
                return []
        raise Unready(_SILENT)

    def fetch(self, provider: Trusted) -> str | None:
        """Fetches now, whatever is known; answers what was wrong, in words, or None."""
        with self._lock:
            known = self._of(provider)
            known.said = "It does not answer in time."
            fetching = self._fetching(provider, known)
        Wanted(fetching, self._waiting).wait()
        return known.said

    def failure(self, provider: Trusted) -> str | None:
        """What was wrong with the last fetch, in words; None if nothing was."""
        with self._lock:
            return self._of(provider).said

    def _of(self, provider: Trusted) -> _Known:
        manifest = provider.manifest
        source = Source(manifest.issuer, manifest.jwks_uri, manifest.ca_bundle)
        known = self._known.get(provider.id)
        if known is None or known.source != source:
            if len(self._known) >= _MOST:
                self._known.pop(next(iter(self._known)))
            known = self._known[provider.id] = _Known(source)
        return known

    def _may_fetch(self, provider_id: UUID, known: _Known, now: float, *, is_fresh: bool) -> bool:
        if known.fetching is not None:
            return True
        if now < known.rests_until:
            return False
        if not is_fresh:
            return True
        if self._unknown.wait(provider_id, now) > 0:
            return False
        self._unknown.count(provider_id, now)
        return True

    def _fetching(self, provider: Trusted, known: _Known) -> Future[None]:
        if known.fetching is None:
            known.fetching = Future()
            threading.Thread(
                target=self._fetch,
                args=(provider.manifest, known, known.fetching),
                name="identity-provider",
                daemon=True,
            ).start()
        return known.fetching

    def _fetch(
        self, manifest: IdentityProviderManifest, known: _Known, fetching: Future[None]
    ) -> None:
        began = self._clock.elapsed()
        keys: Sequence[VerificationKey] = ()
        said = None
        try:
            keys = fetch_keys(self._dialer, manifest)
        except KeyturnError as error:
            said = str(error)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it was
            said = f"Unexpected {type(error).__name__}."
        with self._lock:
            known.said, known.fetching = said, None
            if keys:
                known.keys, known.fetched_at, known.failures = keys, began, 0
            else:
                known.failures += 1
                known.rests_until = self._clock.elapsed() + wait(known.failures).total_seconds()
        if not keys:
            log.warning("identity-provider.away", name=manifest.name, said=said)
        fetching.set_result(None)
