"""Secrets: a group's keys and their versions; values only for those who may use them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor
from models import Secret, SecretGroup, Tenant
from services.keys import Keyring
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find, find_locked
from services.secrets.group_places import check_free
from services.secrets.secret_filling import remove_secret
from services.secrets.secret_values import (
    newest_versions,
    open_version,
    versions_of,
)
from services.secrets.secret_views import (
    SecretView,
    demand_secret,
    may_secret,
    named,
    visible_secrets,
)

_WHAT = "secret"


def list_secrets(
    runtime: Runtime,
    actor: Actor,
    *,
    limit: int,
    offset: int,
    fqns: Sequence[str] | None = None,
    group_id: str | None = None,
    with_value: bool = False,
) -> tuple[list[SecretView], int]:
    """A page of the secrets that the actor may read, by group and key, and how many there are.

    Values are with those that it may use, if asked for; who read them is in the audit log.
    """
    if with_value:
        return runtime.change(
            lambda session, outbox: _list(
                runtime, session, outbox, actor, limit, offset, fqns, group_id
            )
        )
    with runtime.database.reading() as session:
        return _list(runtime, session, None, actor, limit, offset, fqns, group_id)


def get_secret(runtime: Runtime, actor: Actor, secret_id: str) -> SecretView:
    """One secret, with its values if the actor may use it; that is in the audit log then.

    Needs `secret:read`, or `secret-group:read` on its group.
    """

    def use_case(session: Session, outbox: Outbox) -> SecretView:
        secret, group, tenant = _found(session, actor, secret_id)
        demand_secret(actor, "read", tenant, group, secret.key)
        versions = versions_of(session, secret)
        if not may_secret(actor, "use", tenant, group, secret.key):
            return SecretView(secret, group, tenant, None, [(one, None) for one in versions])
        _audit(outbox, actor, "read", group, [secret.key])
        opened = [(one, open_version(runtime.keyring, one)) for one in versions]
        return SecretView(secret, group, tenant, opened[0][1] if opened else None, opened)

    return runtime.change(use_case)


def delete_secret(runtime: Runtime, actor: Actor, secret_id: str, *, force: bool = False) -> None:
    """The secret goes with its versions. Needs `secret:delete`, or `secret-group:delete`.

    Conflict while a virtual account keeps it, unless forced: its next rotation writes it again.
    """

    def use_case(session: Session, outbox: Outbox) -> None:
        find_locked(session, Secret, actor.tenant_id, secret_id, _WHAT)
        secret, group, tenant = _found(session, actor, secret_id)
        demand_secret(actor, "delete", tenant, group, secret.key)
        if not force:
            newest = newest_versions(session, tenant.id, [secret])
            check_free(session, tenant.id, newest.values())
        remove_secret(session, tenant, group, secret)
        _audit(outbox, actor, "deleted", group, [secret.key])

    runtime.change(use_case)


def _list(
    runtime: Runtime,
    session: Session,
    outbox: Outbox | None,
    actor: Actor,
    limit: int,
    offset: int,
    fqns: Sequence[str] | None,
    group_id: str | None,
) -> tuple[list[SecretView], int]:
    tenant = session.get_one(Tenant, actor.tenant_id)
    matching = (
        select(Secret, SecretGroup)
        .join(
            SecretGroup,
            (SecretGroup.id == Secret.group_id) & (SecretGroup.tenant_id == Secret.tenant_id),
        )
        .where(Secret.tenant_id == tenant.id, visible_secrets(actor, tenant))
    )
    if group_id is not None:
        group = find(session, SecretGroup, tenant.id, group_id, "secret group")
        matching = matching.where(Secret.group_id == group.id)
    if fqns is not None:
        matching = matching.where(named(tenant, fqns))
    ids = matching.with_only_columns(Secret.id).subquery()
    total = session.scalar(select(func.count()).select_from(ids)) or 0
    page = session.execute(
        matching.order_by(SecretGroup.name, Secret.key).limit(limit).offset(offset)
    ).all()
    if outbox is None:
        return [SecretView(secret, group, tenant) for secret, group in page], total
    return _with_values(runtime.keyring, session, outbox, actor, tenant, page), total


def _with_values(
    keyring: Keyring,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    page: Sequence[Any],
) -> list[SecretView]:
    usable = [
        secret for secret, group in page if may_secret(actor, "use", tenant, group, secret.key)
    ]
    newest = newest_versions(session, tenant.id, usable)
    views = []
    read: dict[SecretGroup, list[str]] = defaultdict(list)
    for secret, group in page:
        version = newest.get(secret.id)
        value = open_version(keyring, version) if version else None
        views.append(SecretView(secret, group, tenant, value))
        if value is not None:
            read[group].append(secret.key)
    for group, keys in read.items():
        _audit(outbox, actor, "read", group, keys)
    return views


def _found(session: Session, actor: Actor, secret_id: str) -> tuple[Secret, SecretGroup, Tenant]:
    secret = find(session, Secret, actor.tenant_id, secret_id, _WHAT)
    group = session.get_one(SecretGroup, (secret.group_id, secret.tenant_id))
    return secret, group, session.get_one(Tenant, actor.tenant_id)


def _audit(
    outbox: Outbox, actor: Actor, verb: str, group: SecretGroup, keys: Sequence[str]
) -> None:
    outbox.audit(
        actor,
        f"secret.{verb}",
        subject_type="secret-group",
        subject_id=group.id,
        subject_name=group.name,
        detail={"keys": list(keys)},
    )
