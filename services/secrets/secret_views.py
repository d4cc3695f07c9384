"""Looking at secret groups and their secrets: who may see which, and what they are named."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import ColumnElement, or_, true
from sqlalchemy.orm import Session

from core.actors import Actor
from core.roles import Resource
from models import Secret, SecretGroup, SecretVersion, Tenant
from services.scope import mine


@dataclass(frozen=True)
class GroupView:
    """A group with its keys in order, never with a value."""

    group: SecretGroup
    tenant: Tenant
    secrets: Sequence[Secret]

    @property
    def fqn(self) -> str:
        return fqn_of(self.tenant, self.group)


@dataclass(frozen=True)
class SecretView:
    """A secret; with its value and versions where they were asked for and may be seen."""

    secret: Secret
    group: SecretGroup
    tenant: Tenant
    value: SecretStr | None = None
    versions: Sequence[tuple[SecretVersion, SecretStr | None]] = ()

    @property
    def fqn(self) -> str:
        return f"{fqn_of(self.tenant, self.group)}:{self.secret.key}"


def fqn_of(tenant: Tenant, group: SecretGroup) -> str:
    """The name by which the group is granted."""
    return f"{tenant.name}:{group.name}"


def group_resource(tenant: Tenant, group: SecretGroup) -> Resource:
    """The group as something that actions are done to."""
    return Resource("secret-group", fqn_of(tenant, group))


def may_secret(actor: Actor, verb: str, tenant: Tenant, group: SecretGroup, key: str) -> bool:
    """Whether the actor may do this to the key, or to the group as a whole."""
    of_group = group_resource(tenant, group)
    of_key = Resource("secret", f"{of_group.fqn}:{key}")
    return actor.may(f"secret:{verb}", of_key) or actor.may(f"secret-group:{verb}", of_group)


def demand_secret(actor: Actor, verb: str, tenant: Tenant, group: SecretGroup, key: str) -> None:
    """Forbidden, which says what is lacking, unless it may."""
    if not may_secret(actor, verb, tenant, group, key):
        actor.demand(f"secret:{verb}", Resource("secret", f"{fqn_of(tenant, group)}:{key}"))


def view_groups(session: Session, tenant: Tenant, groups: Sequence[SecretGroup]) -> list[GroupView]:
    """These groups with their keys, in one query however many they are."""
    of_group: dict[UUID, list[Secret]] = defaultdict(list)
    for secret in session.scalars(
        mine(Secret, tenant.id)
        .where(Secret.group_id.in_([group.id for group in groups]))
        .order_by(Secret.key)
    ):
        of_group[secret.group_id].append(secret)
    return [GroupView(group, tenant, of_group[group.id]) for group in groups]


def visible_groups(actor: Actor, tenant: Tenant) -> ColumnElement[bool]:
    """Which groups the actor may read, as a condition."""
    if actor.permits.allow_everywhere("secret-group:read"):
        return true()
    return SecretGroup.name.in_(_names(actor, tenant, "secret-group:read"))


def visible_secrets(actor: Actor, tenant: Tenant) -> ColumnElement[bool]:
    """Which secrets, joined with their groups, the actor may read, as a condition."""
    if actor.permits.allow_everywhere("secret:read"):
        return true()
    of_secrets = _names(actor, tenant, "secret:read")  # of their groups among them
    return or_(
        visible_groups(actor, tenant),
        SecretGroup.name.in_(of_secrets),
        (SecretGroup.name + ":" + Secret.key).in_(of_secrets),
    )


def named(tenant: Tenant, fqns: Iterable[str]) -> ColumnElement[bool]:
    """The secrets of these names, joined with their groups, as a condition."""
    return (SecretGroup.name + ":" + Secret.key).in_(_within(tenant, fqns))


def _names(actor: Actor, tenant: Tenant, action: str) -> list[str]:
    """What the action is granted on, by name within the tenant."""
    fqns, _ = actor.permits.scope(action)
    return _within(tenant, fqns)


def _within(tenant: Tenant, fqns: Iterable[str]) -> list[str]:
    prefix = f"{tenant.name}:"
    return [fqn.removeprefix(prefix) for fqn in fqns if fqn.startswith(prefix)]
