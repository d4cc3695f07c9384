"""The way back in, from the machine itself, when nobody can act as an admin any more."""

from datetime import timedelta

from sqlalchemy.orm import Session

from core.actors import Actor
from core.manifests import parse_account
from core.roles import TENANT_ADMIN
from core.tokens import Token
from models import AccountState, SubjectKind, Tenant, VirtualAccount
from services.access.granting import Subject, Wish, settle_grants
from services.accounts.accounts import put_account_within
from services.engine.minting import Cause
from services.engine.turning import turn_keys
from services.identity.identity_mapping import settle_mapping
from services.operation.bootstrap import ADMIN, admin_manifest, make_admin
from services.outbox import Outbox
from services.people.user_life import lock_people
from services.people.users import audit_user
from services.runtime import Runtime
from services.scope import mine

_AT_ONCE = timedelta(0)


def reset_admin(runtime: Runtime, actor: Actor, email: str) -> Token:
    """Makes this person an active tenant-admin, and gives the admin's account a new token.

    The account is made if it is gone, and holds tenant-admin; its current token ends at once.
    """

    def use_case(session: Session, outbox: Outbox) -> Token:
        tenant = lock_people(session, actor)
        user = make_admin(session, outbox, tenant, email)
        audit_user(outbox, actor, "admin.reset", user, {"virtual_account": ADMIN})
        account = session.scalar(
            mine(VirtualAccount, tenant.id)
            .where(VirtualAccount.name == ADMIN, VirtualAccount.state != AccountState.DELETED)
            .with_for_update(key_share=True)
        )
        if account is None:
            made = put_account_within(runtime, session, outbox, actor, admin_manifest(tenant))
            assert made.token is not None
            return made.token
        return _renewed(runtime, session, outbox, actor, tenant, account)

    return runtime.change(use_case)


def _renewed(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    account: VirtualAccount,
) -> Token:
    """What the account's manifest says about stores, people and rhythm stays."""
    plain = admin_manifest(tenant)
    manifest = {**account.manifest, "permissions": plain["permissions"]}
    manifest.pop("identity_provider_mapping", None)
    settle_mapping(session, account, parse_account(plain))
    if account.is_expired(outbox.now):
        manifest.pop("expiration_date", None)
        account.expires_at = None
    account.manifest = manifest
    account.updated_at = outbox.now
    settle_grants(
        session,
        actor,
        tenant,
        [Subject(SubjectKind.VIRTUAL_ACCOUNT, account.id)],
        [Wish("account", tenant.name, TENANT_ADMIN, "permissions")],
    )
    (turn,) = turn_keys(
        session,
        [account],
        outbox,
        cause=Cause.REGENERATED,
        actor=actor,
        keyring=runtime.keyring,
        grace=_AT_ONCE,
    )
    return turn.token
