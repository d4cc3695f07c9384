"""An identity provider with the virtual accounts that its JWTs stand for."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from models import (
    AccountState,
    IdentityMapping,
    IdentityProvider,
    SubjectKind,
    Tenant,
    VirtualAccount,
)
from services.accounts.account_views import visible
from services.identity.identity_providers import NEEDS, ProviderView
from services.runtime import Runtime
from services.scope import find

SHOWN = 20
_COUNTED = 1_000


@dataclass(frozen=True)
class Mapped:
    """A virtual account, and the subject that stands for it; "" where it has to be named."""

    id: UUID
    name: str
    value: str


@dataclass(frozen=True)
class ProviderStory:
    """The provider's page. `mapped` are those that the reader may read, of `mappings` in all."""

    view: ProviderView
    mapped: Sequence[Mapped]
    mappings: int
    has_more: bool


def provider_story(runtime: Runtime, actor: Actor, provider_id: str) -> ProviderStory:
    """One of them. Needs `settings:read`; a fixed number of queries."""
    actor.demand_everywhere(NEEDS)
    with runtime.database.reading() as session:
        row = find(session, IdentityProvider, actor.tenant_id, provider_id, "identity provider")
        tenant = session.get_one(Tenant, actor.tenant_id)
        mappings = session.scalars(
            select(IdentityMapping.id)
            .where(
                IdentityMapping.provider_id == row.id, IdentityMapping.tenant_id == row.tenant_id
            )
            .limit(_COUNTED + 1)
        ).all()
        return ProviderStory(
            view=ProviderView(row, tenant),
            mapped=_mapped(session, actor, row),
            mappings=min(len(mappings), _COUNTED),
            has_more=len(mappings) > _COUNTED,
        )


def _mapped(session: Session, actor: Actor, row: IdentityProvider) -> list[Mapped]:
    found = session.execute(
        select(VirtualAccount.id, VirtualAccount.name, IdentityMapping.value)
        .join(
            IdentityMapping,
            (IdentityMapping.subject_id == VirtualAccount.id)
            & (IdentityMapping.tenant_id == VirtualAccount.tenant_id),
        )
        .where(
            IdentityMapping.provider_id == row.id,
            IdentityMapping.tenant_id == row.tenant_id,
            IdentityMapping.subject_kind == SubjectKind.VIRTUAL_ACCOUNT,
            VirtualAccount.state != AccountState.DELETED,
            visible(actor),
        )
        .order_by(VirtualAccount.name)
        .limit(SHOWN)
    )
    return [Mapped(account_id, name, value or "") for account_id, name, value in found]
