"""The tables. They carry legal state moves and constraints; never I/O, a session or a clock."""

from models.accounts import AccountState, VirtualAccount
from models.audit import AuditRow
from models.base import Base
from models.deliveries import (
    OPEN,
    Action,
    Delivery,
    DeliveryState,
    Event,
    Priority,
)
from models.integrations import (
    Bucket,
    Integration,
    Lane,
    LaneState,
    Place,
    PlaceState,
    ProviderAccount,
    Target,
)
from models.tenants import Installation, Process, Tenant, User, WrappedKey
from models.tokens import TokenRow, TokenState

__all__ = [
    "OPEN",
    "AccountState",
    "Action",
    "AuditRow",
    "Base",
    "Bucket",
    "Delivery",
    "DeliveryState",
    "Event",
    "Installation",
    "Integration",
    "Lane",
    "LaneState",
    "Place",
    "PlaceState",
    "Priority",
    "Process",
    "ProviderAccount",
    "Target",
    "Tenant",
    "TokenRow",
    "TokenState",
    "User",
    "VirtualAccount",
    "WrappedKey",
]
