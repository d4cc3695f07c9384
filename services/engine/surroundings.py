"""What a batch of accounts brings along: read in one query each, as plain rows.

Mapped objects would be nicer to handle and take three times as long; a batch has a thousand.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.policy import Policy
from models import Place, PlaceState, Tenant, TokenRow, TokenState, TokenType
from services import bulk
from services.notices.subscribers import Recipient, subscribers


class Turnable(Protocol):
    """What turning an account's key needs to know of it; mapped accounts have it too."""

    @property
    def id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def team_id(self) -> UUID | None: ...
    @property
    def is_silent(self) -> bool: ...
    @property
    def name(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def grace(self) -> timedelta: ...
    @property
    def max_hold(self) -> timedelta: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def next_rotation_at(self) -> datetime | None: ...
    @property
    def paused_at(self) -> datetime | None: ...
    @property
    def policy(self) -> Policy | None: ...
    @property
    def token_type(self) -> TokenType: ...
    @property
    def jwt_expires_at(self) -> datetime | None: ...
    @property
    def waiting_since(self) -> datetime | None: ...
    @property
    def rotation_failures(self) -> int: ...
    @property
    def notify_before(self) -> list[int] | None: ...
    @property
    def remind_at(self) -> datetime | None: ...


class Predecessor(NamedTuple):
    """The current token that a turn moves aside."""

    account_id: UUID
    id: UUID
    expires_at: datetime | None


class Copying(NamedTuple):
    """A place that gets the new token."""

    account_id: UUID
    id: UUID
    lane_id: UUID
    path: str
    required: bool
    revision: int
    confirmed_generation: int
    tenant_id: UUID


@dataclass
class Surroundings:
    """Everything that turning a batch's keys touches, by account (`pick_up`, `signers`: by tenant).

    `signers` are a tenant's name and what signs its JWTs, where some of the accounts get one.
    """

    predecessors: dict[UUID, Predecessor] = field(default_factory=dict)
    places: dict[UUID, list[Copying]] = field(default_factory=lambda: defaultdict(list))
    targets: dict[UUID, Sequence[Recipient]] = field(default_factory=dict)
    pick_up: dict[UUID, timedelta] = field(default_factory=dict)
    signers: dict[UUID, tuple[str, Any]] = field(default_factory=dict)


def read_surroundings(session: Session, accounts: Iterable[Turnable]) -> Surroundings:
    """A fixed number of queries, however many accounts there are; the caller holds their rows."""
    held = list(accounts)
    around = Surroundings()
    tenant_of = {account.id: account.tenant_id for account in held}
    ids = list(tenant_of)
    tokens = select(TokenRow.account_id, TokenRow.id, TokenRow.expires_at).where(
        bulk.among(session, TokenRow.account_id, ids), TokenRow.state == TokenState.CURRENT
    )
    for predecessor in map(Predecessor._make, session.execute(tokens)):
        around.predecessors[predecessor.account_id] = predecessor
    places = select(*(getattr(Place, name) for name in Copying._fields[:-1])).where(
        bulk.among(session, Place.account_id, ids), Place.state == PlaceState.ACTIVE
    )
    for row in session.execute(places):
        around.places[row[0]].append(Copying._make((*row, tenant_of[row[0]])))
    around.targets = subscribers(session, held)
    tenants = {account.tenant_id for account in held}
    pick_ups = select(Tenant.id, Tenant.pick_up).where(Tenant.id.in_(tenants))
    around.pick_up.update((row[0], row[1]) for row in session.execute(pick_ups))
    return around
