"""All that one secret group is about: its keys, who keeps which, and what one may do there."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.roles import VERBS
from core.secret_manifests import KIND
from models import Integration, Place, PlaceState, Secret, SecretGroup, Tenant, VirtualAccount
from services.accounts.account_views import visible
from services.runtime import Runtime
from services.scope import find
from services.secrets.secret_views import GroupView, group_resource, may_secret, view_groups

SHOWN = 20
_COUNTED = 1_000


@dataclass(frozen=True)
class Keeping:
    """A virtual account that keeps its token in the group, and under which key."""

    id: UUID
    name: str
    key: str


@dataclass(frozen=True)
class SecretGroupStory:
    """The group's page. `keeping` are those that the reader may read, of `used_by` in all.

    `usable` are the keys whose values the reader may see; `allowed` the verbs on the group.
    """

    view: GroupView
    keeping: Sequence[Keeping]
    used_by: int
    has_more: bool
    usable: frozenset[str]
    allowed: frozenset[str]

    def keeper(self, secret: Secret) -> Keeping | None:
        """Who keeps its token under this key."""
        return next((one for one in self.keeping if one.key == secret.key), None)


def secret_group_story(runtime: Runtime, actor: Actor, group_id: str) -> SecretGroupStory:
    """The group, for whoever may read it; a fixed number of queries."""
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        group = find(session, SecretGroup, tenant.id, group_id, "secret group")
        resource = group_resource(tenant, group)
        actor.demand("secret-group:read", resource)
        view = view_groups(session, tenant, [group])[0]
        used_by = _used_by(session, group)
        return SecretGroupStory(
            view=view,
            keeping=_keeping(session, actor, group),
            used_by=min(used_by, _COUNTED),
            has_more=used_by > _COUNTED,
            usable=frozenset(
                one.key for one in view.secrets if may_secret(actor, "use", tenant, group, one.key)
            ),
            allowed=frozenset(
                verb for verb in VERBS if actor.may(f"secret-group:{verb}", resource)
            ),
        )


def _inside(group: SecretGroup) -> tuple[ColumnElement[bool], ...]:
    built_in = select(Integration.id).where(
        Integration.tenant_id == group.tenant_id, Integration.kind == KIND
    )
    return (
        Place.tenant_id == group.tenant_id,
        Place.integration_id.in_(built_in),
        Place.state == PlaceState.ACTIVE,
        Place.path.startswith(f"{group.name}/", autoescape=True),
    )


def _used_by(session: Session, group: SecretGroup) -> int:
    found = session.scalars(select(Place.id).where(*_inside(group)).limit(_COUNTED + 1))
    return len(found.all())


def _keeping(session: Session, actor: Actor, group: SecretGroup) -> list[Keeping]:
    rows = session.execute(
        select(VirtualAccount.id, VirtualAccount.name, Place.path)
        .join(
            Place,
            (Place.account_id == VirtualAccount.id) & (Place.tenant_id == VirtualAccount.tenant_id),
        )
        .where(*_inside(group), visible(actor))
        .order_by(Place.path)
        .limit(_COUNTED)
    )
    return [
        Keeping(account_id, name, path.removeprefix(f"{group.name}/"))
        for account_id, name, path in rows
    ]
