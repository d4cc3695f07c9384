"""A whole Keyturn without its edges: real database, real plugins, a clock moved by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from core.actors import Actor
from core.bell import SilentBell
from core.sealing import MasterKey
from core.settings import Settings
from core.tokens import Token
from models import Base, Delivery, Event, Lane, Place, Tenant, TokenRow, VirtualAccount
from services import accounts, draining, expiry, integrations, lanes, rotation
from services.bootstrap import Limits, ensure_installation, ensure_tenant
from services.runtime import Runtime, build
from services.verification import Verified, verify
from tests.support.manual_clock import ManualClock

LIMITS = Limits(
    smallest_interval=timedelta(seconds=1),
    smallest_grace=timedelta(seconds=1),
    pick_up=timedelta(minutes=10),
)


@dataclass
class RecordingBell(SilentBell):
    """Remembers who was rung."""

    lanes: list[UUID] = field(default_factory=list)

    def ring_lanes(self, lanes: Any, *, troubled: bool = False) -> None:
        self.lanes.extend(lanes)


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

    def tenant(self, name: str = "acme", **limits: Any) -> UUID:
        return ensure_tenant(
            self.runtime,
            name,
            limits=Limits(**{**vars(LIMITS), **limits}),
            admin_email="admin@example.com",
        )

    def file_store(self, name: str = "files", **config: Any) -> str:
        """A file sink; answers its FQN."""
        return self.integration("custom", name, "secret-store/custom/file", **config)

    def mailbox(self, name: str = "mailbox") -> str:
        """A notifier that keeps notices as files; answers its FQN."""
        return self.integration(
            "custom", name, "notification-channel/console", mailbox=name, quiet=True
        )

    def integration(self, provider: str, name: str, kind: str, **config: Any) -> str:
        applied = integrations.apply_provider_account(
            self.runtime,
            self.admin,
            {
                "type": f"provider-account/{provider}",
                "name": f"{name}-account",
                "integrations": [{"type": f"integration/{kind}", "name": name, **config}],
            },
        )
        return applied.integrations[0].fqn

    def account(self, name: str = "ci-bot", **manifest: Any) -> VirtualAccount:
        return self.create(name, **manifest)[0]

    def create(self, name: str = "ci-bot", **manifest: Any) -> tuple[VirtualAccount, Token]:
        put = accounts.put_account(
            self.runtime, self.admin, {"type": "virtual-account", "name": name, **manifest}
        )
        assert put.token is not None
        return put.view.account, put.token

    def rotate(self) -> rotation.Rotated:
        return rotation.rotate_due(self.runtime)

    def drain(self) -> int:
        """Drains every lane that is worth it, until none is."""
        sent = 0
        for _ in range(50):
            with self.runtime.database.reading() as session:
                due = lanes.due_lanes(session, self.runtime.now())
            if not due:
                break
            sent += sum(draining.drain(self.runtime, lane).sent for lane, _ in due)
        return sent

    def expire(self) -> int:
        return expiry.expire_due(self.runtime)

    def tell(self) -> int:
        return expiry.tell_due(self.runtime)

    def tokens(self, account: VirtualAccount) -> list[TokenRow]:
        with self.runtime.database.reading() as session:
            return list(
                session.scalars(
                    select(TokenRow)
                    .where(TokenRow.account_id == account.id)
                    .order_by(TokenRow.generation)
                )
            )

    def fresh(self, account: VirtualAccount) -> VirtualAccount:
        with self.runtime.database.reading() as session:
            return session.get_one(VirtualAccount, (account.id, account.tenant_id))

    def rows(self, model: type[Any], *clauses: Any) -> list[Any]:
        with self.runtime.database.reading() as session:
            return list(session.scalars(select(model).where(*clauses)))

    def deliveries(self, *clauses: Any) -> list[Delivery]:
        return self.rows(Delivery, *clauses)

    def events(self, *clauses: Any) -> list[Event]:
        return self.rows(Event, *clauses)

    def places(self) -> list[Place]:
        return self.rows(Place)

    def lanes(self) -> list[Lane]:
        return self.rows(Lane)

    def works(self, token: Token) -> bool:
        return isinstance(verify(self.runtime, token.reveal()), Verified)

    def file(self, path: str) -> str:
        return (self.folder / path).read_text().strip()


@contextmanager
def new_world(url: str, folder: Path, **settings: Any) -> Iterator[World]:
    """A Keyturn on this empty database."""
    clock = ManualClock()
    configured = Settings(
        database_url=url,
        master_keys=MasterKey.generate(),
        file_root=folder,
        data_dir=folder / "data",
        **settings,
    )
    runtime = build(configured, clock=clock, bell=RecordingBell())
    try:
        Base.metadata.create_all(runtime.database.engine)
        ensure_installation(runtime)
        tenant_id = ensure_tenant(runtime, "acme", limits=LIMITS, admin_email="admin@example.com")
        yield World(runtime, clock, tenant_id, folder)
    finally:
        runtime.close()


def tenants(world: World) -> list[Tenant]:
    return world.rows(Tenant)
