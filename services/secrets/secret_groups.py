"""Secret groups: create or update by manifest, look, delete. Their values are in `secrets`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.access_manifests import read_manifest
from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound
from core.ids import new_id
from core.secret_manifests import GivenSecret, SecretGroupManifest, read_secrets
from core.spelling import reference_spelling
from models import Integration, SecretGroup, Tenant
from services.access.granting import forget_resource
from services.expecting import Expected, check_expected
from services.integrations.built_in import built_in
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find, mine
from services.secrets.collaborators import forget_collaborators, settle_collaborators
from services.secrets.group_places import check_unused
from services.secrets.secret_filling import settle_secrets
from services.secrets.secret_views import GroupView, group_resource, view_groups

_WHAT = "secret group"


@dataclass(frozen=True)
class PutGroup:
    """What a create or update did."""

    view: GroupView
    created: bool
    changed: bool
    existing: dict[str, Any] | None = None

    @property
    def row(self) -> SecretGroup:
        return self.view.group


def put_secret_group(
    runtime: Runtime,
    actor: Actor,
    given: dict[str, Any],
    *,
    dry_run: bool = False,
    expected: Expected | None = None,
) -> PutGroup:
    """Creates the group of this name or makes it agree with the manifest; values stay.

    Needs `secret-group:create` on the tenant or `secret-group:update` on the group, and all
    that collaborators are given. An update that touches nothing changes nothing.
    """
    spelled = {"type": "secret-group", **reference_spelling(given)}
    manifest = read_manifest(SecretGroupManifest, spelled)

    def use_case(session: Session, outbox: Outbox) -> PutGroup:
        tenant = session.get_one(Tenant, actor.tenant_id)
        group = _named(session, actor, manifest.name)
        check_expected(expected, group)
        if group is not None:
            actor.demand("secret-group:update", group_resource(tenant, group))
        existing = group.manifest if group else None
        store = _store(session, outbox, tenant, manifest.integration_fqn, "integration_fqn")
        created = group is None
        if group is None:
            group = _create(session, outbox, actor, tenant, store, spelled)
        moved = settle_collaborators(
            session, outbox, actor, tenant, group, manifest.collaborators or []
        )
        changed = moved or spelled != existing
        if changed:
            group.manifest = spelled
            group.updated_at = outbox.now
            detail = {"manifest": spelled} if created else {"before": existing, "after": spelled}
            _audit(outbox, actor, "created" if created else "updated", group, detail)
        session.flush()
        return PutGroup(view_groups(session, tenant, [group])[0], created, changed, existing)

    with _alone(manifest.name):
        return runtime.change(use_case, rehearse=dry_run)


def create_secret_group(
    runtime: Runtime, actor: Actor, name: str, integration: str, given: Sequence[dict[str, Any]]
) -> GroupView:
    """A new group with these secrets; Conflict if there is one of this name.

    `integration` is the id or the FQN of the built-in store.
    """
    manifest = {"type": "secret-group", "name": name}
    read_manifest(SecretGroupManifest, manifest)
    secrets = read_secrets(given)

    def use_case(session: Session, outbox: Outbox) -> GroupView:
        tenant = session.get_one(Tenant, actor.tenant_id)
        actor.demand_everywhere("secret-group:create")
        if _named(session, actor, name) is not None:
            raise Conflict(f"There is a secret group {name} already.")
        store = _store(session, outbox, tenant, integration, "integrationId")
        spelled = {**manifest, "integration_fqn": store.fqn}
        group = _create(session, outbox, actor, tenant, store, spelled)
        settle_secrets(runtime.keyring, session, outbox, actor, tenant, group, secrets)
        keys = [secret.key for secret in secrets]
        _audit(outbox, actor, "created", group, {"manifest": spelled, "keys": keys})
        return view_groups(session, tenant, [group])[0]

    with _alone(name):
        return runtime.change(use_case)


def update_secrets(
    runtime: Runtime, actor: Actor, group_id: str, given: Sequence[dict[str, Any]]
) -> GroupView:
    """The group holds exactly these keys. Needs `secret-group:update` on it.

    A changed value is a new version, the same value is none, a key without a value stays as it
    is. Conflict for a key that a virtual account keeps.
    """
    secrets = read_secrets(given)

    def use_case(session: Session, outbox: Outbox) -> GroupView:
        group = _locked(session, actor, group_id)
        tenant = session.get_one(Tenant, actor.tenant_id)
        actor.demand("secret-group:update", group_resource(tenant, group))
        done = settle_secrets(runtime.keyring, session, outbox, actor, tenant, group, secrets)
        if done:
            group.updated_at = outbox.now
            session.flush()
            _audit(outbox, actor, "filled", group, done)
        return view_groups(session, tenant, [group])[0]

    return runtime.change(use_case)


def put_secret(runtime: Runtime, actor: Actor, group_id: str, key: str, value: str) -> None:
    """The group holds this value under this key; the other keys stay.

    Needs `secret-group:update` on it. The same value is no new version. Conflict for a key that
    a virtual account keeps.
    """
    (given,) = read_secrets([{"key": key, "value": value}])

    def use_case(session: Session, outbox: Outbox) -> None:
        group = _locked(session, actor, group_id)
        tenant = session.get_one(Tenant, actor.tenant_id)
        actor.demand("secret-group:update", group_resource(tenant, group))
        others = [
            GivenSecret(key=one.key)
            for one in view_groups(session, tenant, [group])[0].secrets
            if one.key != given.key
        ]
        done = settle_secrets(
            runtime.keyring, session, outbox, actor, tenant, group, [*others, given]
        )
        if done:
            group.updated_at = outbox.now
            session.flush()
            _audit(outbox, actor, "filled", group, done)

    runtime.change(use_case)


def delete_secret_group(
    runtime: Runtime, actor: Actor, group_id: str, *, force: bool = False
) -> None:
    """The group goes with its secrets, their versions, and all that is granted on them.

    Needs `secret-group:delete`. Conflict while virtual accounts keep their tokens in it, unless
    it is forced: their next sends are refused.
    """
    _delete(runtime, actor, lambda session: _locked(session, actor, group_id), force=force)


def delete_secret_group_by_name(runtime: Runtime, actor: Actor, name: str) -> None:
    """The same, by its name."""

    def named(session: Session) -> SecretGroup:
        group = _named(session, actor, name)
        if group is None:
            raise NotFound(_WHAT, name)
        return _locked(session, actor, str(group.id))

    _delete(runtime, actor, named, force=False)


def _delete(
    runtime: Runtime, actor: Actor, found: Callable[[Session], SecretGroup], *, force: bool
) -> None:
    def use_case(session: Session, outbox: Outbox) -> None:
        group = found(session)
        tenant = session.get_one(Tenant, actor.tenant_id)
        actor.demand("secret-group:delete", group_resource(tenant, group))
        if not force:
            check_unused(session, group)
        view = view_groups(session, tenant, [group])[0]
        for secret in view.secrets:
            forget_resource(session, tenant.id, "secret", f"{view.fqn}:{secret.key}")
        forget_resource(session, tenant.id, "secret-group", view.fqn)
        forget_collaborators(session, group)
        session.delete(group)
        keys = [secret.key for secret in view.secrets]
        _audit(outbox, actor, "deleted", group, {"manifest": group.manifest, "keys": keys})

    runtime.change(use_case)


def _create(
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    store: Integration,
    spelled: dict[str, Any],
) -> SecretGroup:
    actor.demand_everywhere("secret-group:create")
    group = SecretGroup(
        tenant_id=tenant.id,
        id=new_id(),
        name=spelled["name"],
        integration_id=store.id,
        manifest=spelled,
        created_by=actor.as_subject(),
        created_at=outbox.now,
        updated_at=outbox.now,
    )
    session.add(group)
    session.flush()
    return group


def _store(
    session: Session, outbox: Outbox, tenant: Tenant, given: str | None, field: str
) -> Integration:
    """The built-in store; InvalidInput if another one is asked for."""
    store = built_in(session, tenant, outbox.now)
    if given not in {None, store.fqn, str(store.id)}:
        raise InvalidInput(
            field, f"secret groups are kept in Keyturn's own store only: give {store.fqn}"
        )
    return store


def _named(session: Session, actor: Actor, name: str) -> SecretGroup | None:
    return session.scalar(
        mine(SecretGroup, actor.tenant_id)
        .where(SecretGroup.name == name)
        .with_for_update(key_share=True)
    )


def _locked(session: Session, actor: Actor, group_id: str) -> SecretGroup:
    """The group, which nobody else fills, points at or deletes until the commit."""
    group = find(session, SecretGroup, actor.tenant_id, group_id, _WHAT)
    session.refresh(group, with_for_update=True)
    return group


@contextmanager
def _alone(name: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if "uq_secret_groups" not in str(error.orig):
            raise
        said = f"Somebody else is creating {name} at this moment: repeat the call."
        raise Conflict(said) from None


def _audit(
    outbox: Outbox, actor: Actor, verb: str, group: SecretGroup, detail: dict[str, Any]
) -> None:
    outbox.audit(
        actor,
        f"secret-group.{verb}",
        subject_type="secret-group",
        subject_id=group.id,
        subject_name=group.name,
        detail=detail,
    )
