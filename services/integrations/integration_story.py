"""All that one integration is about: its lanes and their limits, its places, and who uses it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.plugins import Family
from core.secret_manifests import KIND
from models import (
    AccountState,
    Bucket,
    Integration,
    Lane,
    Place,
    PlaceState,
    SecretGroup,
    Target,
    VirtualAccount,
)
from services.accounts.account_views import visible
from services.accounts.entitlements import may_use
from services.integrations.integration_views import IntegrationView, view_in
from services.integrations.integrations import account_resource
from services.runtime import Runtime

SHOWN = 20
_COUNTED = 1_000


@dataclass(frozen=True)
class TroubledPlace:
    """A place whose store refused the token, or holds something else."""

    place: Place
    account: str


@dataclass(frozen=True)
class Using:
    """A virtual account that keeps its token there, or tells people through it."""

    id: UUID
    name: str


@dataclass(frozen=True)
class IntegrationStory:
    """Everything that the integration's page tells.

    `free_at` is by lane when its limit bears the next send. `users` are some of the `used_by`
    accounts; `has_more`: there are even more than that. `groups` are secret groups. Of `users`
    and `troubled` only what the reader may read is there. `allowed` are what the reader may do:
    use, update, delete, manage.
    """

    view: IntegrationView
    free_at: dict[UUID, datetime]
    places: int
    troubled: Sequence[TroubledPlace]
    users: Sequence[Using]
    used_by: int
    has_more: bool
    groups: int
    allowed: frozenset[str]

    @property
    def is_used(self) -> bool:
        return bool(self.used_by or self.groups)


def integration_story(
    runtime: Runtime, actor: Actor, integration_id: str | UUID
) -> IntegrationStory:
    """The story, for whoever may read or use it; a fixed number of queries."""
    with runtime.database.reading() as session:
        view = view_in(session, actor, integration_id)
        row = view.integration
        used, has_more = _using(session, row)
        users = _named(session, actor, used)
        return IntegrationStory(
            view=view,
            free_at=_free_at(session, [one.lane for one in view.lanes], runtime.now()),
            places=_count(session, _places(row)),
            troubled=_troubled(session, actor, row),
            users=users[:SHOWN],
            used_by=len(used),
            has_more=has_more,
            groups=_groups(session, row),
            allowed=_allowed(actor, view),
        )


def _allowed(actor: Actor, view: IntegrationView) -> frozenset[str]:
    account = account_resource(view.tenant, view.account.provider, view.account.name)
    is_last = len(view.account.manifest.get("integrations") or []) == 1
    is_own = view.integration.kind == KIND
    asked = {
        "use": may_use(actor, view.integration),
        "update": not is_own and actor.may("provider-account:update", account),
        "delete": not is_own
        and actor.may("provider-account:update", account)
        and (not is_last or actor.may("provider-account:delete", account)),
        "manage": actor.permits.allow_everywhere("provider-integration:manage"),
    }
    return frozenset(verb for verb, is_allowed in asked.items() if is_allowed)


def _free_at(session: Session, lanes: Sequence[Lane], now: datetime) -> dict[UUID, datetime]:
    """Only of those whose limit is used up at this moment."""
    keys = {lane.quota_key for lane in lanes if lane.quota_key}
    if not keys:
        return {}
    found = select(Bucket.quota_key, Bucket.next_at).where(
        Bucket.quota_key.in_(keys), Bucket.next_at > now
    )
    next_at = {row.quota_key: row.next_at for row in session.execute(found)}
    return {lane.id: next_at[lane.quota_key] for lane in lanes if lane.quota_key in next_at}


def _places(row: Integration) -> tuple[Any, ...]:
    return (
        Place.integration_id == row.id,
        Place.tenant_id == row.tenant_id,
        Place.state == PlaceState.ACTIVE,
    )


def _count(session: Session, clauses: tuple[Any, ...]) -> int:
    return session.scalar(select(func.count()).select_from(Place).where(*clauses)) or 0


def _troubled(session: Session, actor: Actor, row: Integration) -> list[TroubledPlace]:
    found = session.execute(
        select(Place, VirtualAccount.name)
        .join(
            VirtualAccount,
            (VirtualAccount.id == Place.account_id) & (VirtualAccount.tenant_id == Place.tenant_id),
        )
        .where(
            *_places(row),
            or_(Place.last_error.is_not(None), Place.drift.is_not(None)),
            visible(actor),
        )
        .order_by(VirtualAccount.name, Place.path)
        .limit(SHOWN)
    )
    return [TroubledPlace(place, name) for place, name in found]


def _using(session: Session, row: Integration) -> tuple[Sequence[UUID], bool]:
    """Who uses it, as far as is counted; whether there are more."""
    lanes = select(Lane.id).where(Lane.tenant_id == row.tenant_id, Lane.integration_id == row.id)
    if row.family is Family.SINK:
        found = select(Place.account_id).where(*_places(row))
    else:
        found = select(Target.account_id).where(
            Target.tenant_id == row.tenant_id, Target.lane_id.in_(lanes)
        )
    # An account may be there several times; to tell them apart in SQL would read all of them.
    ids = session.scalars(found.limit(_COUNTED + 1)).all()
    return list(dict.fromkeys(ids[:_COUNTED])), len(ids) > _COUNTED


def _named(session: Session, actor: Actor, ids: Sequence[UUID]) -> list[Using]:
    rows = session.execute(
        select(VirtualAccount.id, VirtualAccount.name)
        .where(
            VirtualAccount.tenant_id == actor.tenant_id,
            VirtualAccount.id.in_(ids),
            VirtualAccount.state != AccountState.DELETED,
            visible(actor),
        )
        .order_by(VirtualAccount.name)
        .limit(SHOWN)
    )
    return [Using(*found) for found in rows]


def _groups(session: Session, row: Integration) -> int:
    held = select(func.count()).where(
        SecretGroup.tenant_id == row.tenant_id, SecretGroup.integration_id == row.id
    )
    return session.scalar(held) or 0
