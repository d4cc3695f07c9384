"""The tables. They carry legal state moves and constraints; never I/O, a session or a clock."""

from models.access import (
    CustomRole,
    GrantRow,
    IdentityMapping,
    RoleBinding,
    SubjectKind,
)
from models.accounts import AccountState, VirtualAccount
from models.answers import KeptAnswer
from models.audit import AuditChain, AuditRow
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
from models.people import (
    PersonalAccessToken,
    Team,
    TeamMember,
    User,
)
from models.secrets import Secret, SecretGroup, SecretVersion
from models.sessions import DeviceLogin, LoginSession
from models.tenants import Installation, Process, Tenant, WrappedKey
from models.tokens import TokenRow, TokenState

__all__ = [
    "OPEN",
    "AccountState",
    "Action",
    "AuditChain",
    "AuditRow",
    "Base",
    "Bucket",
    "CustomRole",
    "Delivery",
    "DeliveryState",
    "DeviceLogin",
    "Event",
    "GrantRow",
    "IdentityMapping",
    "Installation",
    "Integration",
    "KeptAnswer",
    "Lane",
    "LaneState",
    "LoginSession",
    "PersonalAccessToken",
    "Place",
    "PlaceState",
    "Priority",
    "Process",
    "ProviderAccount",
    "RoleBinding",
    "Secret",
    "SecretGroup",
    "SecretVersion",
    "SubjectKind",
    "Target",
    "Team",
    "TeamMember",
    "Tenant",
    "TokenRow",
    "TokenState",
    "User",
    "VirtualAccount",
    "WrappedKey",
]
