"""Virtual accounts' places in secret groups: who may point there, and which keys they keep."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, InvalidInput
from core.roles import Resource
from core.secret_manifests import KIND, split_path
from models import (
    Integration,
    Place,
    PlaceState,
    SecretGroup,
    SecretVersion,
    Tenant,
    VirtualAccount,
)
from services.scope import mine
from services.secrets.secret_views import group_resource
from sinks.base import mark_of

_NAMED = 5


def group_of_place(
    session: Session, tenant: Tenant, integration: Integration, path: str, where: str
) -> Resource | None:
    """The group that a place lies in, which stays until the commit; None for other stores.

    InvalidInput if there is no such group.
    """
    if integration.kind != KIND:
        return None
    name, _ = split_path(path)
    group = session.scalar(
        mine(SecretGroup, tenant.id)
        .where(SecretGroup.name == name)
        .with_for_update(read=True, key_share=True)
    )
    if group is None:
        raise InvalidInput(where, "there is no secret group of this name here")
    return group_resource(tenant, group)


def demand_place(actor: Actor, group: Resource, *, adopt: bool) -> None:
    """Forbidden unless the actor may keep a token in this group, or replace what is there."""
    if adopt or not actor.may("secret-group:use", group):
        actor.demand("secret-group:update", group)


def check_unused(session: Session, group: SecretGroup) -> None:
    """Conflict names the virtual accounts whose token is kept in this group."""
    inside = Place.path.startswith(f"{group.name}/", autoescape=True)
    accounts = session.scalars(_accounts(group.tenant_id).where(inside).distinct()).all()
    if accounts:
        raise Conflict(
            f"{len(accounts)} virtual accounts keep their tokens in {group.name}: "
            f"{_listed(accounts)}. Take it out of them first, or force the deletion."
        )


def check_free(session: Session, tenant_id: UUID, versions: Iterable[SecretVersion]) -> None:
    """Conflict names the virtual accounts that keep these secrets."""
    marks = [mark_of(version.mark) for version in versions]
    places = {mark.place for mark in marks if mark is not None}
    if not places:
        return
    accounts = session.scalars(_accounts(tenant_id).where(Place.id.in_(places)).distinct()).all()
    if accounts:
        raise Conflict(
            f"This is kept by the virtual account {_listed(accounts)}: "
            "it is changed by rotating there, and goes when it is taken out there."
        )


def _accounts(tenant_id: UUID) -> Select[str]:
    """Names of the virtual accounts with a place in the built-in store."""
    return (
        select(VirtualAccount.name)
        .join(
            Place,
            (Place.account_id == VirtualAccount.id) & (Place.tenant_id == VirtualAccount.tenant_id),
        )
        .join(
            Integration,
            (Integration.id == Place.integration_id) & (Integration.tenant_id == Place.tenant_id),
        )
        .where(
            VirtualAccount.tenant_id == tenant_id,
            Place.state == PlaceState.ACTIVE,
            Integration.kind == KIND,
        )
        .order_by(VirtualAccount.name)
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
