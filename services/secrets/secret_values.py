"""The values of secrets: sealed versions, of which the newest is what consumers read."""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.ids import new_id
from models import Secret, SecretGroup, SecretVersion, Tenant
from services.keys import Keyring
from services.scope import mine

KEPT = 100  # versions of one secret
_TABLE = "secret_versions"


def add_version(
    session: Session,
    keyring: Keyring,
    secret: Secret,
    value: SecretStr,
    now: datetime,
    mark: Mapping[str, str] | None = None,
) -> None:
    """The value becomes the newest version; the oldest beyond those that are kept go."""
    secret.version += 1
    secret.updated_at = now
    version_id = new_id()
    session.add(
        SecretVersion(
            tenant_id=secret.tenant_id,
            id=version_id,
            secret_id=secret.id,
            version=secret.version,
            sealed=keyring.seal(_TABLE, secret.tenant_id, version_id, _bytes(value)),
            mark=dict(mark) if mark else None,
            created_at=now,
        )
    )
    session.execute(
        delete(SecretVersion).where(
            SecretVersion.tenant_id == secret.tenant_id,
            SecretVersion.secret_id == secret.id,
            SecretVersion.version <= secret.version - KEPT,
        )
    )
    session.flush()


def open_version(keyring: Keyring, version: SecretVersion) -> SecretStr | None:
    """The value; None if it was lost with a master key."""
    if not version.sealed:
        return None
    opened = keyring.open(_TABLE, version.tenant_id, version.id, version.sealed)
    return SecretStr(opened.decode())


def holds(keyring: Keyring, version: SecretVersion, value: SecretStr) -> bool:
    """Whether this is the value of the version."""
    held = open_version(keyring, version)
    return held is not None and hmac.compare_digest(_bytes(held), _bytes(value))


def newest_versions(
    session: Session, tenant_id: UUID, secrets: Iterable[Secret]
) -> dict[UUID, SecretVersion]:
    """The newest version of each of these secrets, in one query."""
    rows = session.scalars(
        mine(SecretVersion, tenant_id)
        .join(
            Secret,
            (Secret.id == SecretVersion.secret_id)
            & (Secret.tenant_id == SecretVersion.tenant_id)
            & (Secret.version == SecretVersion.version),
        )
        .where(SecretVersion.secret_id.in_([secret.id for secret in secrets]))
    )
    return {row.secret_id: row for row in rows}


def versions_of(session: Session, secret: Secret) -> Sequence[SecretVersion]:
    """Every version that is kept, newest first."""
    return session.scalars(
        select(SecretVersion)
        .where(SecretVersion.tenant_id == secret.tenant_id, SecretVersion.secret_id == secret.id)
        .order_by(SecretVersion.version.desc())
    ).all()


def people_s_secrets(session: Session, tenant_id: UUID) -> list[str]:
    """The FQNs of the secrets whose newest version Keyturn did not write."""
    return list(
        session.scalars(
            select(Tenant.name + ":" + SecretGroup.name + ":" + Secret.key)
            .select_from(Secret)
            .join(Tenant, Tenant.id == Secret.tenant_id)
            .join(
                SecretGroup,
                (SecretGroup.id == Secret.group_id) & (SecretGroup.tenant_id == Secret.tenant_id),
            )
            .join(
                SecretVersion,
                (SecretVersion.secret_id == Secret.id)
                & (SecretVersion.tenant_id == Secret.tenant_id)
                & (SecretVersion.version == Secret.version),
            )
            .where(Secret.tenant_id == tenant_id, SecretVersion.mark.is_(None))
            .order_by(SecretGroup.name, Secret.key)
        )
    )


def _bytes(value: SecretStr) -> bytes:
    return value.get_secret_value().encode()
