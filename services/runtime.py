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
from core.plugins import Ports
from core.settings import Settings
from services.built_in_store import BuiltInStore
from services.database import Database
from services.keys import Keyring
from services.opened import Opened
from services.outbound import GuardedDialer
from services.outbox import Outbox

Result = TypeVar("Result")


class _Rehearsed(Exception):
    """Carries a result out of a transaction that is rolled back."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


@dataclass
class Runtime:
    """What use cases work with."""

    settings: Settings
    database: Database
    clock: Clock
    keyring: Keyring
    opened: Opened
    ports: Ports
    bell: Bell = field(default_factory=SilentBell)

    def change(
        self, use_case: Callable[[Session, Outbox], Result], *, rehearse: bool = False
    ) -> Result:
        """Runs a use case in one transaction with its outbox, then rings what it touched.

        A rehearsal does everything but commit: all checks are made, nothing is left behind.
        """

        def transaction(session: Session) -> tuple[Result, Outbox]:
            outbox = Outbox(self.now())
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
        self.bell.ring_lanes(lane for _, lane in outbox.lanes)
        return result

    def now(self) -> datetime:
        return self.clock.now()

    def close(self) -> None:
        """Gives back every connection."""
        self.opened.close()
        self.database.close()


def build(settings: Settings, *, clock: Clock | None = None, bell: Bell | None = None) -> Runtime:
    """Everything a process needs, from its settings. Opens no connection but one for the time."""
    database = Database(settings.database, pool_size=settings.worker_threads + 4)
    clock = clock or AnchoredClock(database.now())
    keyring = Keyring(database, settings.keys(), clock)
    ports = Ports(
        clock=clock,
        network=_dialer(settings),
        file_root=settings.file_root,
        ambient_credentials=settings.ambient_credentials,
        ambient_vaults=settings.ambient_vaults,
        secret_groups=BuiltInStore(database, keyring, clock),
    )
    return Runtime(
        settings=settings,
        database=database,
        clock=clock,
        keyring=keyring,
        opened=Opened(keyring),
        ports=ports,
        bell=bell or SilentBell(),
    )


def _dialer(settings: Settings) -> GuardedDialer:
    proxy = settings.outbound_proxy
    return GuardedDialer(
        AddressRules(excluded=settings.excluded_networks, allowed=settings.allowed_networks),
        proxy=proxy.get_secret_value() if proxy else None,
        proxy_resolves=settings.proxy_resolves,
    )
