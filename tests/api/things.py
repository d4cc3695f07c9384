"""One thing of each kind in a tenant, made when a call needs it: what path parameters stand for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.ids import new_id
from core.secret_manifests import built_in_fqn
from core.tokens import Token, TokenKind, mint
from models import (
    CustomRole,
    Delivery,
    DeviceLogin,
    GrantRow,
    LoginSession,
    PersonalAccessToken,
    RoleBinding,
    SubjectKind,
    Team,
    TeamMember,
    Tenant,
    TokenRow,
    User,
    VirtualAccount,
)
from services.accounts.accounts import put_account
from services.engine.tokens import rotate_account
from services.integrations.integrations import apply_provider_account
from services.secrets.secret_groups import create_secret_group
from tests.api.calls import NOWHERE
from tests.support.identity import trust_unseen
from tests.support.world import HOURLY, World

_numbers = count(1)


@dataclass
class Things:
    """Makes them in one tenant; `made` says what there is, as (resource type, name)."""

    world: World
    tenant_id: UUID
    made: list[tuple[str, str]] = field(default_factory=list)

    @property
    def operator(self) -> Actor:
        return Actor.operator(self.tenant_id, "things")

    def named(self, wanted: set[str]) -> dict[str, str]:
        """A new thing for each of these names, and what else is known of it."""
        known = {"tenant": self.tenant_name, "fresh": f"fresh-{next(_numbers)}"}
        for name in sorted(wanted):
            if name not in known:
                known |= MAKERS[name](self)
        return known

    @property
    def tenant_name(self) -> str:
        with self.world.runtime.database.reading() as session:
            return session.get_one(Tenant, self.tenant_id).name

    def write(self, *rows: Any) -> None:
        def use_case(session: Session) -> None:
            for row in rows:
                session.add(row)
                session.flush()

        self.world.runtime.database.write(use_case)

    def user(self, email: str | None = None) -> User:
        now = self.world.runtime.now()
        user = User(
            tenant_id=self.tenant_id,
            id=new_id(),
            email=email or f"person-{next(_numbers)}@example.com",
            active=True,
            created_at=now,
            updated_at=now,
        )
        self.write(user)
        return user

    def personal_token(self, user: User) -> tuple[UUID, Token]:
        token = mint(TokenKind.PERSONAL)
        row = PersonalAccessToken(
            tenant_id=self.tenant_id,
            id=new_id(),
            user_id=user.id,
            name=f"pat-{next(_numbers)}",
            hash=token.hash,
            last_four=token.last_four,
            created_by=self.operator.as_subject(),
            created_at=self.world.runtime.now(),
        )
        self.write(row)
        return row.id, token

    def session(self, user: User) -> Token:
        token = mint(TokenKind.SESSION)
        now = self.world.runtime.now()
        row = LoginSession(
            tenant_id=self.tenant_id,
            id=new_id(),
            user_id=user.id,
            hash=token.hash,
            created_at=now,
            expires_at=now.replace(year=now.year + 1),
        )
        self.write(row)
        return token

    def grant(
        self, kind: SubjectKind, subject: UUID, resource_type: str, fqn: str, role: str
    ) -> None:
        row = GrantRow(
            tenant_id=self.tenant_id,
            id=new_id(),
            subject_kind=kind,
            subject_id=subject,
            resource_type=resource_type,
            resource_fqn=fqn,
            role=role,
        )
        self.write(row)


def nowhere(wanted: set[str]) -> dict[str, str]:
    """Names of things that are nowhere."""
    names = {"user_email": "nobody@example.com"}
    return {
        name: names.get(name, NOWHERE if name.endswith("_id") else "nothing") for name in wanted
    }


def _account(things: Things) -> dict[str, str]:
    given = {"type": "virtual-account", "name": f"bot-{next(_numbers)}", "auto_rotate": HOURLY}
    account = put_account(things.world.runtime, things.operator, given).view.account
    things.made.append(("virtual-account", account.fqn))
    with things.world.runtime.database.reading() as session:
        row = session.scalars(select(TokenRow).where(TokenRow.account_id == account.id)).one()
    return {
        "account_id": str(account.id),
        "account_name": account.name,
        "token_id": str(row.id),
    }


def _user(things: Things) -> dict[str, str]:
    user = things.user()
    things.made.append(("user", f"user:{user.email}"))
    return {"user_id": str(user.id), "user_email": user.email}


def _personal_token(things: Things) -> dict[str, str]:
    token_id, _ = things.personal_token(things.user())
    return {"personal_token_id": str(token_id)}


def _team(things: Things) -> dict[str, str]:
    user = things.user()
    now = things.world.runtime.now()
    name = f"team-{next(_numbers)}"
    manifest = {"type": "team", "name": name, "members": [user.email], "managers": [user.email]}
    team = Team(
        tenant_id=things.tenant_id,
        id=new_id(),
        name=name,
        manifest=manifest,
        created_by=things.operator.as_subject(),
        created_at=now,
        updated_at=now,
    )
    member = TeamMember(
        tenant_id=things.tenant_id, team_id=team.id, user_id=user.id, is_manager=True
    )
    things.write(team, member)
    things.made.append(("team", team.fqn))
    return {"team_id": str(team.id), "team_name": name, "team_member": user.email}


def _role(things: Things) -> dict[str, str]:
    now = things.world.runtime.now()
    name = f"role-{next(_numbers)}"
    actions = ["virtual-account:read"]
    role = CustomRole(
        tenant_id=things.tenant_id,
        id=new_id(),
        name=name,
        resource_type="virtual-account",
        actions=actions,
        manifest={
            "type": "role",
            "name": name,
            "display_name": name,
            "description": "",
            "resource_type": "virtual-account",
            "permissions": actions,
        },
        created_by=things.operator.as_subject(),
        created_at=now,
        updated_at=now,
    )
    things.write(role)
    things.made.append(("role", f"role:{name}"))
    return {"role_id": str(role.id), "role_name": name}


def _binding(things: Things) -> dict[str, str]:
    user = things.user()
    now = things.world.runtime.now()
    name = f"binding-{next(_numbers)}"
    held = {"resource_type": "account", "resource_fqn": things.tenant_name, "role": "user-viewer"}
    row = RoleBinding(
        tenant_id=things.tenant_id,
        id=new_id(),
        name=name,
        manifest={
            "type": "role-binding",
            "name": name,
            "subjects": [{"type": "user", "name": user.email}],
            "permissions": [held],
        },
        created_by=things.operator.as_subject(),
        created_at=now,
        updated_at=now,
    )
    things.write(row)
    return {"binding_id": str(row.id), "binding_name": name}


def _secret(things: Things) -> dict[str, str]:
    store = built_in_fqn(things.tenant_name)
    view = create_secret_group(
        things.world.runtime,
        things.operator,
        f"group-{next(_numbers)}",
        store,
        [{"key": "password", "value": "some-password"}],
    )
    things.made.append(("secret-group", view.fqn))
    return {
        "secret_group_id": str(view.group.id),
        "secret_group_name": view.group.name,
        "secret_id": str(view.secrets[0].id),
        "secret_store": store,
    }


def _provider_account(things: Things) -> dict[str, str]:
    name = f"provider-{next(_numbers)}"
    channel = {"type": "integration/notification-channel/console", "name": f"{name}-console"}
    applied = apply_provider_account(
        things.world.runtime,
        things.operator,
        {"type": "provider-account/custom", "name": name, "integrations": [channel]},
    )
    (integration,) = applied.integrations
    things.made.append(("provider-account", f"{things.tenant_name}:custom:{name}"))
    return {
        "provider_account_id": str(applied.account.id),
        "provider_account_name": name,
        "integration_id": str(integration.id),
        "integration_fqn": integration.fqn,
    }


def _delivery(things: Things) -> dict[str, str]:
    """A notice that waits."""
    channel = _provider_account(things)["integration_fqn"]
    target = {"type": "console", "notification_channel": channel}
    given = {"type": "virtual-account", "name": f"told-{next(_numbers)}"}
    account = put_account(
        things.world.runtime, things.operator, {**given, "notification_target": target}
    ).view.account
    things.made.append(("virtual-account", account.fqn))
    rotate_account(things.world.runtime, things.operator, account.id)
    with things.world.runtime.database.reading() as session:
        found = session.scalars(select(Delivery.id).where(Delivery.account_id == account.id)).one()
        return {"delivery_id": str(found)}


def _identity_provider(things: Things) -> dict[str, str]:
    name = f"idp-{next(_numbers)}"
    made = trust_unseen(things.world, name, by=things.operator)
    return {"provider_id": str(made.row.id), "provider_name": name}


def _device_login(things: Things) -> dict[str, str]:
    now = things.world.runtime.now()
    code = mint(TokenKind.DEVICE)
    row = DeviceLogin(
        tenant_id=things.tenant_id,
        id=new_id(),
        user_code="".join("BCDFGHJKLM"[int(digit)] for digit in f"{next(_numbers):08}"),
        device_hash=code.hash,
        created_at=now,
        expires_at=now.replace(year=now.year + 1),
    )
    things.write(row)
    return {"user_code": row.user_code, "device_code": code.reveal()}


# Each makes a thing and tells all of its names. A new kind of thing is a maker here.
_KINDS: dict[Callable[[Things], dict[str, str]], tuple[str, ...]] = {
    _account: ("account_id", "account_name", "token_id"),
    _user: ("user_id", "user_email"),
    _personal_token: ("personal_token_id",),
    _team: ("team_id", "team_name", "team_member"),
    _role: ("role_id", "role_name"),
    _binding: ("binding_id", "binding_name"),
    _secret: ("secret_group_id", "secret_group_name", "secret_id", "secret_store"),
    _provider_account: (
        "provider_account_id",
        "provider_account_name",
        "integration_id",
        "integration_fqn",
    ),
    _delivery: ("delivery_id",),
    _identity_provider: ("provider_id", "provider_name"),
    _device_login: ("user_code", "device_code"),
}
MAKERS = {name: maker for maker, names in _KINDS.items() for name in names}


def bearers(things: Things) -> dict[str, str]:
    """A working token of each of those who call, and the account that may read what was made."""
    member, admin = things.user("member@example.com"), things.user("boss@example.com")
    tenant = things.tenant_name
    things.grant(SubjectKind.USER, admin.id, "tenant", tenant, "tenant-admin")
    accounts = {name: _machine(things, name) for name in ("idle", "viewer", "root")}
    viewer, root = accounts["viewer"][0].id, accounts["root"][0].id
    things.grant(SubjectKind.VIRTUAL_ACCOUNT, root, "account", tenant, "tenant-admin")
    for resource_type, fqn in things.made:
        role = f"{resource_type}-viewer"
        things.grant(SubjectKind.VIRTUAL_ACCOUNT, viewer, resource_type, fqn, role)
    tokens = {
        "PAT": things.personal_token(member)[1],
        "session": things.session(member),
        "idle": accounts["idle"][1],
        "viewer": accounts["viewer"][1],
        "admin": things.session(admin),
        "admin account": accounts["root"][1],
    }
    return {name: token.reveal() for name, token in tokens.items()}


def _machine(things: Things, name: str) -> tuple[VirtualAccount, Token]:
    put = put_account(
        things.world.runtime, things.operator, {"type": "virtual-account", "name": name}
    )
    assert put.token is not None
    return put.view.account, put.token
