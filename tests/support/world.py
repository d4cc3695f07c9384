"""A whole Keyturn without its edges: real database, real plugins, a clock moved by hand."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from keyturn_test_plugins import scripted
from sqlalchemy import select

from core.actors import Actor
from core.dial import LOOPBACK
from core.sealing import MasterKey
from core.settings import Settings
from core.tokens import Token
from models import (
    Delivery,
    Event,
    Lane,
    Place,
    TokenRow,
    VirtualAccount,
)
from services.accounts import accounts
from services.delivery import draining, lanes
from services.engine import expiry, rotation
from services.integrations import integrations
from services.operation.bootstrap import ensure_installation, ensure_tenant
from services.operation.tenants import Limits
from services.runtime import Runtime, build
from services.verify.verification import Rejected, Verified, verify
from tests.support.manual_clock import ManualClock
from tests.support.migrated import migrate_by_copy, migrate_unless_copied

LIMITS = Limits(
    smallest_interval=timedelta(seconds=1),
    smallest_grace=timedelta(seconds=1),
    pick_up=timedelta(minutes=10),
)
HOURLY = {"interval": "1h", "grace": "10m", "max_hold": "2h"}


@dataclass
class RecordingBell:
    """Remembers who was rung."""

    lanes: list[UUID] = field(default_factory=list)

    def ring_lanes(self, lanes: Iterable[UUID], *, troubled: bool = False) -> None:
        self.lanes.extend(lanes)

    def ring_rotation(self) -> None: ...


@dataclass
class World:
    """One tenant, its admin, and short words for what tests do again and again."""

    runtime: Runtime
    clock: ManualClock
    tenant_id: UUID
    folder: Path

    @property
    def admin(self) -> Actor:
        return Actor.operator(self.tenant_id, "tester")

    def integration(self, provider: str, name: str, kind: str, **config: Any) -> str:
        """Applies one integration; answers its FQN."""
        rate = {"rate": config.pop("rate")} if "rate" in config else {}
        applied = integrations.apply_provider_account(
            self.runtime,
            self.admin,
            {
                "type": f"provider-account/{provider}",
                "name": f"{name}-account",
                "integrations": [{"type": f"integration/{kind}", "name": name, **rate, **config}],
            },
        )
        return applied.integrations[0].fqn

    def file_store(self, name: str = "files", **config: Any) -> str:
        return self.integration("custom", name, "secret-store/custom/file", **config)

    def store(self, name: str = "vault", **config: Any) -> tuple[str, scripted.Store]:
        """A sink in memory that does as it is told: its FQN and what it holds."""
        key = f"{self.folder}/{name}"
        fqn = self.integration("custom", name, "secret-store/custom/scripted", store=key, **config)
        return fqn, scripted.store(key)

    def channel(self, name: str = "chat") -> tuple[str, scripted.Store]:
        """A notifier in memory: its FQN and what it was told."""
        key = f"{self.folder}/{name}"
        fqn = self.integration("custom", name, "notification-channel/scripted", store=key)
        return fqn, scripted.store(key)

    def create(self, name: str = "ci-bot", **manifest: Any) -> tuple[VirtualAccount, Token]:
        put = self.put(name, **manifest)
        assert put.token is not None
        return put.view.account, put.token

    def put(self, name: str = "ci-bot", **manifest: Any) -> accounts.Put:
        given = {"type": "virtual-account", "name": name, **manifest}
        return accounts.put_account(self.runtime, self.admin, given)

    def rotate(self) -> rotation.Rotated:
        return rotation.rotate_due(self.runtime)

    def due_lanes(self) -> list[UUID]:
        with self.runtime.database.reading() as session:
            return [lane for lane, _ in lanes.due_lanes(session, self.runtime.now())]

    def drain(self) -> int:
        """Drains every lane that is worth it, until none is; answers how much was sent."""
        sent = 0
        for _ in range(50):
            due = self.due_lanes()
            if not due:
                break
            sent += sum(draining.drain(self.runtime, lane).sent for lane in due)
        return sent

    def expire(self) -> int:
        return expiry.expire_due(self.runtime)

    def tell(self) -> int:
        return expiry.tell_due(self.runtime)

    def works(self, token: Token) -> bool:
        return isinstance(verify(self.runtime, token.reveal()), Verified)

    def refusal(self, token: Token) -> str:
        answer = verify(self.runtime, token.reveal())
        assert isinstance(answer, Rejected)
        return answer.reason.value

    def current(self, account: VirtualAccount) -> TokenRow:
        return self.tokens(account)[-1]

    def tokens(self, account: VirtualAccount) -> list[TokenRow]:
        """Every generation, the oldest first."""
        rows = self.rows(TokenRow, TokenRow.account_id == account.id)
        return sorted(rows, key=lambda row: row.generation)

    def fresh(self, account: VirtualAccount) -> VirtualAccount:
        with self.runtime.database.reading() as session:
            return session.get_one(VirtualAccount, (account.id, account.tenant_id))

    def rows(self, model: type[Any], *clauses: Any) -> list[Any]:
        with self.runtime.database.reading() as session:
            return list(session.scalars(select(model).where(*clauses).order_by(model.id)))

    def deliveries(self, *clauses: Any) -> list[Delivery]:
        return self.rows(Delivery, *clauses)

    def told(self, event_type: str) -> list[Event]:
        return [event for event in self.rows(Event) if event.type.value == event_type]

    def places(self) -> list[Place]:
        return self.rows(Place)

    def lane(self, fqn: str) -> Lane:
        """The only lane of this integration."""
        with self.runtime.database.reading() as session:
            return session.scalars(
                select(Lane)
                .join(integrations.Integration, integrations.Integration.id == Lane.integration_id)
                .where(integrations.Integration.fqn == fqn)
            ).one()

    def file(self, path: str) -> str:
        return (self.folder / path).read_text().strip()


def stored(fqn: str, path: str = "ci/token", **more: Any) -> dict[str, Any]:
    """A manifest's place in a store."""
    return {"type": "secret-store", "integration_fqn": fqn, "secret_path": path, **more}


def told_by(fqn: str, kind: str = "scripted", **more: Any) -> dict[str, Any]:
    """A manifest's notification target."""
    return {"type": kind, "notification_channel": fqn, **more}


@contextmanager
def new_world(url: str, folder: Path, **settings: Any) -> Iterator[World]:
    """A Keyturn on this database, which has nothing in it but the schema, if that."""
    migrate_by_copy(url)
    clock = ManualClock()
    configured = Settings(
        database_url=url,
        file_root=folder,
        data_dir=folder / "data",
        **{
            "master_keys": MasterKey.generate(),
            "allowed_networks": LOOPBACK,
            "digest_window": "0s",
            **settings,
        },
    )
    runtime = build(configured, clock=clock, bell=RecordingBell())
    try:
        migrate_unless_copied(runtime.database)
        ensure_installation(runtime)
        tenant_id = ensure_tenant(runtime, "acme", limits=LIMITS, admin_email="admin@example.com")
        yield World(runtime, clock, tenant_id, folder)
    finally:
        runtime.close()
