"""The composition root: builds everything once; entry points and tests call it.

Importing a module opens nothing. What stands above (the bell) is handed in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, cast

from sqlalchemy.orm import Session

from core.bell import Bell, SilentBell
from core.clock import AnchoredClock, Clock
from core.dial import AddressRules
from core.metrics import Metrics
from core.plugins import Ports
from core.settings import Settings
from core.uses import NoUses, Uses
from services.database import Database
from services.identity.provider_keys import ProviderKeys
from services.identity.trusted_providers import TrustedProviders
from services.keys import Keyring, Signing
from services.opened import Opened
from services.outbound import GuardedDialer
from services.outbox import Outbox
from services.secrets.built_in_store import BuiltInStore
from services.verify.own_keys import OwnKeys

Result = TypeVar("Result")


class _Rehearsed(Exception):
    """Carries a result out of a transaction that is rolled back."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


@dataclass
class Runtime:
    """What use cases work with.

    `verifying` are connections of their own to the same database: tokens are looked up whatever
    else is going on.
    """

    settings: Settings
    database: Database
    verifying: Database
    clock: Clock
    keyring: Keyring
    opened: Opened
    ports: Ports
    own_keys: OwnKeys
    providers: TrustedProviders
    provider_keys: ProviderKeys
    bell: Bell = field(default_factory=SilentBell)
    uses: Uses = field(default_factory=NoUses)
    metrics: Metrics = field(default_factory=Metrics)

    def change(
        self, use_case: Callable[[Session, Outbox], Result], *, rehearse: bool = False
    ) -> Result:
        """Runs a use case in one transaction with its outbox, then rings what it touched.

        A rehearsal does everything but commit: all checks are made, nothing is left behind.
        """

        def transaction(session: Session) -> tuple[Result, Outbox]:
            outbox = Outbox(self.now(), self.settings.digest_window)
            result = use_case(session, outbox)
            outbox.flush(session)
            if rehearse:
                session.expunge_all()
                raise _Rehearsed(result)
            return result, outbox

        try:
            result, outbox = self.database.write(transaction)
        except _Rehearsed as rehearsed:
            return cast("Result", rehearsed.result)
        self.metrics.told(outbox.event_types)
        self.bell.ring_lanes(outbox.lanes)
        return result

    def now(self) -> datetime:
        return self.clock.now()

    def close(self) -> None:
        """Gives back every connection."""
        self.opened.close()
        self.verifying.close()
        self.database.close()


def build(settings: Settings, *, clock: Clock | None = None, bell: Bell | None = None) -> Runtime:
    """Everything a process needs, from its settings. Opens no connection but one for the time."""
    database = Database(settings.database, pool_size=settings.worker_threads + 4)
    clock = clock or AnchoredClock(database.now())
    database.clock = clock
    signing = Signing(settings.public_url, settings.signing_key_age)
    keyring = Keyring(database, settings.keys(), clock, signing)
    dialer = _dialer(settings)
    ports = Ports(
        clock=clock,
        network=dialer,
        file_root=settings.file_root,
        ambient_credentials=settings.ambient_credentials,
        ambient_vaults=settings.ambient_vaults,
        secret_groups=BuiltInStore(database, keyring, clock),
    )
    verifying = Database(settings.database, pool_size=4, impatient=True)
    providers = TrustedProviders(verifying, clock)
    database.listeners.append(providers.hear)
    return Runtime(
        settings=settings,
        database=database,
        verifying=verifying,
        clock=clock,
        keyring=keyring,
        opened=Opened(keyring),
        ports=ports,
        own_keys=OwnKeys(database, clock, settings.public_url),
        providers=providers,
        provider_keys=ProviderKeys(dialer, clock, settings.provider_keys_kept),
        bell=bell or SilentBell(),
    )


def _dialer(settings: Settings) -> GuardedDialer:
    proxy = settings.outbound_proxy
    return GuardedDialer(
        AddressRules(excluded=settings.excluded_networks, allowed=settings.allowed_networks),
        proxy=proxy.get_secret_value() if proxy else None,
        proxy_resolves=settings.proxy_resolves,
    )
