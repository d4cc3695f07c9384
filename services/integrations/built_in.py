"""The integration behind a tenant's secret groups: one row, made when it is first needed."""

from datetime import datetime

from sqlalchemy.orm import Session

from core.actors import Actor
from core.ids import new_id
from core.plugins import Family
from core.secret_manifests import ACCOUNT, KIND, PROVIDER, STORE, built_in_fqn
from models import Integration, ProviderAccount, Tenant
from services.scope import mine

_NOTHING = b""  # what it is configured with follows from its tenant: nothing is to be sealed


def built_in(session: Session, tenant: Tenant, now: datetime) -> Integration:
    """The tenant's integration behind all its groups; a second call finds the first one's."""
    found = _found(session, tenant)
    if found is not None:
        return found
    session.get_one(Tenant, tenant.id, with_for_update={"key_share": True}, populate_existing=True)
    return _found(session, tenant) or _made(session, tenant, now)


def _found(session: Session, tenant: Tenant) -> Integration | None:
    return session.scalar(
        mine(Integration, tenant.id).where(
            Integration.fqn == built_in_fqn(tenant.name), Integration.deleted_at.is_(None)
        )
    )


def _made(session: Session, tenant: Tenant, now: datetime) -> Integration:
    keyturn = Actor.engine(tenant.id).as_subject()
    account = session.scalar(
        mine(ProviderAccount, tenant.id).where(
            ProviderAccount.provider == PROVIDER,
            ProviderAccount.name == ACCOUNT,
            ProviderAccount.deleted_at.is_(None),
        )
    )
    if account is None:
        account = ProviderAccount(
            tenant_id=tenant.id,
            id=new_id(),
            provider=PROVIDER,
            name=ACCOUNT,
            manifest=_manifest(),
            sealed=_NOTHING,
            created_by=keyturn,
            created_at=now,
            updated_at=now,
        )
        session.add(account)
        session.flush()
    made = Integration(
        tenant_id=tenant.id,
        id=new_id(),
        provider_account_id=account.id,
        family=Family.SINK,
        kind=KIND,
        name=STORE,
        fqn=built_in_fqn(tenant.name),
        sealed=_NOTHING,
        authorized_subjects=[],
        version=1,
        checked={},
        created_by=keyturn,
        created_at=now,
        updated_at=now,
    )
    session.add(made)
    session.flush()
    return made


def _manifest() -> dict[str, object]:
    store = {"type": f"integration/{Family.SINK}/{KIND}", "name": STORE}
    return {"type": f"provider-account/{PROVIDER}", "name": ACCOUNT, "integrations": [store]}
