"""First things: the installation's row, a tenant with its key, and the first admin."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.roles import TENANT_ADMIN
from core.tokens import Token
from models import (
    AccountState,
    AuditChain,
    Installation,
    SubjectKind,
    Tenant,
    TokenRow,
    TokenState,
    User,
    VirtualAccount,
    WrappedKey,
)
from services.access.granting import Subject, Wish, settle_grants
from services.accounts.accounts import put_account_within
from services.operation.tenants import Limits
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import mine

ADMIN = "keyturn-admin"
_BOOTSTRAP_LIFE = timedelta(days=30)


def ensure_installation(runtime: Runtime) -> None:
    """The installation's one row; a second call changes nothing."""

    def use_case(session: Session, outbox: Outbox) -> None:
        if session.get(Installation, 1) is None:
            session.add(Installation(id=1, epoch=1, created_at=outbox.now))

    runtime.change(use_case)


def ensure_tenant(runtime: Runtime, name: str, *, limits: Limits, admin_email: str) -> UUID:
    """The tenant of this name with a data key and an admin user; a second call finds it."""

    def use_case(session: Session, outbox: Outbox) -> UUID:
        tenant = session.scalar(select(Tenant).where(Tenant.name == name))
        if tenant is None:
            tenant = Tenant(
                id=new_id(),
                name=name,
                smallest_interval=limits.smallest_interval,
                smallest_grace=limits.smallest_grace,
                max_hold=limits.max_hold,
                pick_up=limits.pick_up,
                default_grace=limits.default_grace,
                session_length=limits.session_length,
                pat_longest_life=limits.pat_longest_life,
                pat_most_per_user=limits.pat_most_per_user,
                created_at=outbox.now,
            )
            session.add(tenant)
            session.flush()
            session.add(AuditChain(tenant_id=tenant.id))
            make_admin(session, outbox, tenant, admin_email)
            outbox.audit(
                Actor.operator(tenant.id, "operator"),
                "tenant.created",
                subject_type="tenant",
                subject_id=tenant.id,
                subject_name=name,
                detail={"admin": admin_email.lower()},
            )
        has_key = session.scalar(
            select(WrappedKey.number).where(WrappedKey.tenant_id == tenant.id).limit(1)
        )
        if has_key is None:
            runtime.keyring.make(session, tenant.id, outbox.now)
        return tenant.id

    return runtime.change(use_case)


def make_admin(session: Session, outbox: Outbox, tenant: Tenant, email: str) -> User:
    """An active person with this address who holds tenant-admin; made if need be."""
    user = session.scalar(mine(User, tenant.id).where(User.email == email.lower()))
    if user is None:
        user = User(
            tenant_id=tenant.id,
            id=new_id(),
            email=email.lower(),
            created_at=outbox.now,
            updated_at=outbox.now,
        )
        session.add(user)
    user.active = True
    session.flush()
    settle_grants(
        session,
        Actor.operator(tenant.id, "operator"),
        tenant,
        [Subject(SubjectKind.USER, user.id)],
        [Wish("tenant", tenant.name, TENANT_ADMIN, "roles")],
    )
    return user


def ensure_admin(runtime: Runtime, tenant_id: UUID, out: Path) -> bool:
    """The first admin's account, and its token in `out` (0600, written by rename).

    The file is written whenever it is missing; answers whether it was.
    """
    if out.exists():
        return False
    token = _admin_token(runtime, tenant_id)
    if token is None:
        token = _create_admin(runtime, tenant_id, life=None)
    write_secret(out, token.reveal() + "\n")
    return True


def bootstrap_admin(runtime: Runtime, tenant_id: UUID, out: Path) -> None:
    """Outside `keyturn up`: makes the first admin, once; its token is valid for 30 days."""
    if _admin_token(runtime, tenant_id) is not None:
        raise Conflict(
            f"This installation has its first admin already ({ADMIN}); "
            "`keyturn accounts rotate keyturn-admin --show-token` gives it a new token."
        )
    token = _create_admin(runtime, tenant_id, life=_BOOTSTRAP_LIFE)
    write_secret(out, token.reveal() + "\n")


def only_tenant(session: Session, name: str | None = None) -> Tenant:
    """The tenant of this name, or the only one there is."""
    tenants = session.scalars(select(Tenant).order_by(Tenant.name)).all()
    if name is not None:
        for tenant in tenants:
            if tenant.name == name:
                return tenant
        raise NotFound("tenant", name)
    if len(tenants) == 1:
        return tenants[0]
    if not tenants:
        raise Conflict("There is no tenant yet; run `keyturn admin bootstrap`.")
    raise Conflict(f"Say which tenant: {', '.join(tenant.name for tenant in tenants)}.")


def write_secret(path: Path, text: str) -> None:
    """Writes a file that only its owner reads; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _create_admin(runtime: Runtime, tenant_id: UUID, *, life: timedelta | None) -> Token:
    """The account, and its token, which ends in the same commit that makes it."""
    actor = Actor.operator(tenant_id, "bootstrap")

    def use_case(session: Session, outbox: Outbox) -> Token:
        tenant = session.get_one(Tenant, tenant_id, with_for_update={"key_share": True})
        put = put_account_within(runtime, session, outbox, actor, admin_manifest(tenant))
        if put.token is None:
            raise Conflict(f"{ADMIN} exists without a valid token; regenerate it.")
        if life is not None:
            put.view.tokens[0].move_end(outbox.now + life)
        return put.token

    return runtime.change(use_case)


def admin_manifest(tenant: Tenant) -> dict[str, Any]:
    """What the first admin's account is."""
    grant = {"resource_fqn": tenant.name, "resource_type": "account", "role_id": TENANT_ADMIN}
    return {"name": ADMIN, "type": "virtual-account", "permissions": [grant]}


def _admin_token(runtime: Runtime, tenant_id: UUID) -> Token | None:
    with runtime.database.reading() as session:
        row = session.scalar(
            mine(TokenRow, tenant_id)
            .join(
                VirtualAccount,
                (VirtualAccount.id == TokenRow.account_id)
                & (VirtualAccount.tenant_id == TokenRow.tenant_id),
            )
            .where(
                VirtualAccount.name == ADMIN,
                VirtualAccount.state == AccountState.ACTIVE,
                TokenRow.state == TokenState.CURRENT,
            )
        )
    if row is None or row.sealed is None:
        return None
    return Token(runtime.keyring.open("tokens", row.tenant_id, row.id, row.sealed).decode())
