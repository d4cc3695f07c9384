"""Filling a secret group: it comes to hold exactly the keys and values that are given."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import InvalidInput
from core.ids import new_id
from core.secret_manifests import GivenSecret
from models import Secret, SecretGroup, Tenant
from services.access.granting import forget_resource
from services.keys import Keyring
from services.outbox import Outbox
from services.scope import mine
from services.secrets.group_places import check_free
from services.secrets.secret_values import add_version, holds, newest_versions
from services.secrets.secret_views import fqn_of


def settle_secrets(
    keyring: Keyring,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    group: SecretGroup,
    given: Sequence[GivenSecret],
) -> dict[str, list[str]]:
    """The group, which is locked, holds exactly these keys; answers what was done to which."""
    held = {
        secret.key: secret
        for secret in session.scalars(
            mine(Secret, tenant.id)
            .where(Secret.group_id == group.id)
            .order_by(Secret.key)
            .with_for_update(key_share=True)
        )
    }
    newest = newest_versions(session, tenant.id, held.values())
    gone = [secret for key, secret in held.items() if key not in {one.key for one in given}]
    changed = [
        (held[one.key], one.value)
        for one in given
        if one.key in held
        and one.value is not None
        and not (held[one.key].id in newest and holds(keyring, newest[held[one.key].id], one.value))
    ]
    touched = [*gone, *(secret for secret, _ in changed)]
    check_free(session, tenant.id, [newest[one.id] for one in touched if one.id in newest])
    for secret in gone:
        remove_secret(session, tenant, group, secret)
    for secret, value in changed:
        add_version(session, keyring, secret, value, outbox.now)
    added = []
    for number, one in enumerate(given):
        if one.key in held:
            continue
        if one.value is None:
            raise InvalidInput(f"secrets.{number}.value", "a new key needs a value")
        secret = Secret(
            tenant_id=tenant.id,
            id=new_id(),
            group_id=group.id,
            key=one.key,
            version=0,
            created_by=actor.as_subject(),
            created_at=outbox.now,
            updated_at=outbox.now,
        )
        session.add(secret)
        session.flush()
        add_version(session, keyring, secret, one.value, outbox.now)
        added.append(one.key)
    done = {
        "added": added,
        "changed": [secret.key for secret, _ in changed],
        "removed": [secret.key for secret in gone],
    }
    return {what: keys for what, keys in done.items() if keys}


def remove_secret(session: Session, tenant: Tenant, group: SecretGroup, secret: Secret) -> None:
    """The secret goes with its versions, and what was granted on it."""
    forget_resource(session, tenant.id, "secret", f"{fqn_of(tenant, group)}:{secret.key}")
    session.delete(secret)
    session.flush()
