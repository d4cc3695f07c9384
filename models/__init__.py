"""The tables. They carry legal state moves and constraints; never I/O, a session or a clock."""

from models.access import (
    CustomRole,
    GrantRow,
    IdentityMapping,
    RoleBinding,
    SubjectKind,
)
from models.accounts import AccountState, TokenType, VirtualAccount
from models.answers import KeptAnswer
from models.audit import AuditChain, AuditRow
from models.base import Base
from models.changes import Change
from models.deliveries import (
    OPEN,
    Action,
    Attempt,
    Delivery,
    DeliveryState,
    Event,
    Priority,
)
from models.identity_providers import Audience, IdentityProvider, SignIn
from models.integrations import (
    Bucket,
    Integration,
    Lane,
    LaneState,
    Place,
    PlaceState,
    ProviderAccount,
)
from models.jwt import ExchangedToken, SigningKey
from models.people import (
    PersonalAccessToken,
    Team,
    TeamMember,
    User,
)
from models.secrets import Secret, SecretGroup, SecretVersion
from models.sessions import DeviceLogin, LoginSession
from models.subscriptions import DefaultTarget, Target
from models.tenants import Installation, Process, Tenant, WrappedKey
from models.tokens import TokenRow, TokenState
from models.uses import TokenUse

__all__ = [
    "OPEN",
    "AccountState",
    "Action",
    "Attempt",
    "Audience",
    "AuditChain",
    "AuditRow",
    "Base",
    "Bucket",
    "Change",
    "CustomRole",
    "DefaultTarget",
    "Delivery",
    "DeliveryState",
    "DeviceLogin",
    "Event",
    "ExchangedToken",
    "GrantRow",
    "IdentityMapping",
    "IdentityProvider",
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
    "SignIn",
    "SigningKey",
    "SubjectKind",
    "Target",
    "Team",
    "TeamMember",
    "Tenant",
    "TokenRow",
    "TokenState",
    "TokenType",
    "TokenUse",
    "User",
    "VirtualAccount",
    "WrappedKey",
]
