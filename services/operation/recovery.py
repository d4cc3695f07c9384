"""Recovery: after a restored database, and after a lost master key.

A restored database has forgotten what was written since: its generations and revisions
would repeat with other values. Raising the installation's epoch, which is part of every
mark, makes what is written from now on win over all of that; then every account's key is
turned, because stores hold tokens that the database no longer knows.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.actors import Actor
from core.sealing import MasterKeys
from core.secret_manifests import KIND as BUILT_IN
from models import (
    AccountState,
    IdentityProvider,
    Installation,
    Integration,
    Lane,
    LaneState,
    ProviderAccount,
    SecretVersion,
    SigningKey,
    Tenant,
    VirtualAccount,
    WrappedKey,
)
from services import bulk
from services.engine.minting import Cause
from services.engine.turning import turn_keys
from services.outbox import Outbox
from services.runtime import Runtime
from services.secrets.secret_values import people_s_secrets

_BATCH = 500
LOST = b""  # what stands in place of a sealed value that nothing opens any more


def raise_epoch(runtime: Runtime) -> int:
    """From now on every write wins over whatever a store holds; answers the new epoch."""

    def use_case(session: Session, _outbox: Outbox) -> int:
        installation = session.get_one(Installation, 1, with_for_update=True)
        installation.epoch += 1
        return installation.epoch

    return runtime.change(use_case)


def replace_lost_keys(runtime: Runtime, masters: MasterKeys) -> list[str]:
    """Gives every tenant a data key that a configured master key opens, where it has none.

    Answers the integrations whose credentials were sealed with the lost key, the identity
    providers whose clients had a secret, and the secrets of groups that people wrote. The
    integrations' lanes are paused until they are applied again. A second call finds nothing lost.
    """

    def use_case(session: Session, outbox: Outbox) -> list[str]:
        lost = session.scalars(
            select(WrappedKey).where(WrappedKey.master_key_id.not_in(masters.ids))
        ).all()
        forgotten: list[str] = []
        for tenant_id in sorted({key.tenant_id for key in lost}):
            runtime.keyring.make(session, tenant_id, outbox.now)
            forgotten += _forget(session, tenant_id, outbox.now)
            outbox.audit(
                Actor.operator(tenant_id, "operator"),
                "tenant.keys-replaced",
                subject_type="tenant",
                subject_id=tenant_id,
                subject_name=session.get_one(Tenant, tenant_id).name,
            )
        for key in lost:
            session.delete(key)
        return forgotten

    return runtime.change(use_case)


def _forget(session: Session, tenant_id: UUID, now: datetime) -> list[str]:
    """What was sealed cannot be read: sends wait for somebody to enter it again."""
    for model in (ProviderAccount, Integration, SecretVersion):
        session.execute(update(model).where(model.tenant_id == tenant_id).values(sealed=LOST))
    for keyless in (SigningKey, IdentityProvider):
        session.execute(update(keyless).where(keyless.tenant_id == tenant_id).values(sealed=None))
    session.execute(
        update(Integration)
        .where(Integration.tenant_id == tenant_id)
        .values(version=Integration.version + 1)
    )
    for lane in session.scalars(
        select(Lane).where(
            Lane.tenant_id == tenant_id, Lane.state == LaneState.OPEN, Lane.kind != BUILT_IN
        )
    ):
        lane.pause(
            "its credentials were lost with the master key: apply the integration again", now
        )
    integrations = session.scalars(
        select(Integration.fqn)
        .where(
            Integration.tenant_id == tenant_id,
            Integration.deleted_at.is_(None),
            Integration.kind != BUILT_IN,
        )
        .order_by(Integration.fqn)
    )
    clients = session.scalars(
        select(IdentityProvider)
        .where(IdentityProvider.tenant_id == tenant_id)
        .order_by(IdentityProvider.name)
    )
    return [
        *integrations,
        *(f"identity-provider:{row.name}" for row in clients if row.has_secret),
        *people_s_secrets(session, tenant_id),
    ]


def count_accounts(runtime: Runtime) -> int:
    """How many accounts `turn_every_key` will turn."""
    with runtime.database.reading() as session:
        return (
            session.scalar(select(func.count()).where(VirtualAccount.state == AccountState.ACTIVE))
            or 0
        )


def turn_every_key(runtime: Runtime, actor_name: str) -> Iterator[int]:
    """Mints every account anew, with its own grace, in batches; yields how many a batch turned."""
    with runtime.database.reading() as session:
        tenants = session.scalars(select(Tenant.id)).all()
    for tenant_id in tenants:
        actor = Actor.operator(tenant_id, actor_name)
        after = UUID(int=0)
        while page := _page(runtime, tenant_id, after):
            yield _turn(runtime, actor, page)
            after = page[-1]


def _page(runtime: Runtime, tenant_id: UUID, after: UUID) -> Sequence[UUID]:
    with runtime.database.reading() as session:
        return session.scalars(
            select(VirtualAccount.id)
            .where(
                VirtualAccount.tenant_id == tenant_id,
                VirtualAccount.id > after,
                VirtualAccount.state == AccountState.ACTIVE,
            )
            .order_by(VirtualAccount.id)
            .limit(_BATCH)
        ).all()


def _turn(runtime: Runtime, actor: Actor, ids: Sequence[UUID]) -> int:
    def use_case(session: Session, outbox: Outbox) -> int:
        accounts = session.scalars(
            select(VirtualAccount)
            .where(
                bulk.among(session, VirtualAccount.id, ids),
                VirtualAccount.state == AccountState.ACTIVE,
            )
            .order_by(VirtualAccount.id)
            .with_for_update(key_share=True)
        ).all()
        live = [
            account
            for account in accounts
            if not account.is_expired(outbox.now) and not account.is_mapped
        ]
        turn_keys(session, live, outbox, cause=Cause.MANUAL, actor=actor, keyring=runtime.keyring)
        return len(live)

    return runtime.change(use_case)
