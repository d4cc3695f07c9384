"""The built-in secret store as its sink sees it; each call is a transaction of its own."""

from collections.abc import Mapping
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.actors import Actor
from core.clock import Clock
from core.errors import PlaceRefused, Transient
from core.ids import new_id
from core.secret_store import Stored
from models import Secret, SecretGroup, SecretVersion
from services.database import Database
from services.keys import Keyring
from services.scope import mine
from services.secrets.secret_values import add_version, holds


class BuiltInStore:
    """What `core.plugins.SecretGroups` promises, over the database."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock

    def newest(self, tenant: UUID, group: str, key: str) -> Stored | None:
        with self._database.reading() as session:
            found = _find(session, tenant, group, key)
            return _stored(session, found) if found else None

    def put_version(
        self,
        tenant: UUID,
        group: str,
        key: str,
        value: SecretStr,
        metadata: Mapping[str, str],
        *,
        after: Stored | None,
    ) -> None:
        def use_case(session: Session) -> None:
            row = _lock_group(session, tenant, group)
            secret = _find(session, tenant, group, key, lock=True)
            if (_stored(session, secret) if secret else None) != after:
                raise Transient(f"{group}/{key} was changed at the same moment.")
            now = self._clock.now()
            if secret is None:
                secret = Secret(
                    tenant_id=tenant,
                    id=new_id(),
                    group_id=row.id,
                    key=key,
                    version=0,
                    created_by=Actor.engine(tenant).as_subject(),
                    created_at=now,
                    updated_at=now,
                )
                session.add(secret)
                session.flush()
            newest = _newest(session, secret)
            if newest is not None and holds(self._keyring, newest, value):
                newest.mark = dict(metadata)
            else:
                add_version(session, self._keyring, secret, value, now, metadata)

        try:
            self._database.write(use_case)
        except IntegrityError:
            raise Transient(f"{group}/{key} was changed at the same moment.") from None

    def remove(self, tenant: UUID, group: str, key: str, *, newest: Stored) -> None:
        def use_case(session: Session) -> None:
            secret = _find(session, tenant, group, key, lock=True)
            if secret is None:
                return
            if _stored(session, secret) != newest:
                raise Transient(f"{group}/{key} was changed at the same moment.")
            session.delete(secret)

        self._database.write(use_case)

    def count(self, tenant: UUID) -> int:
        with self._database.reading() as session:
            groups = mine(SecretGroup, tenant).subquery()
            return session.scalar(select(func.count()).select_from(groups)) or 0


def _lock_group(session: Session, tenant: UUID, name: str) -> SecretGroup:
    """The group, which nobody deletes until the end of the transaction."""
    group = session.scalar(
        mine(SecretGroup, tenant)
        .where(SecretGroup.name == name)
        .with_for_update(read=True, key_share=True)
    )
    if group is None:
        raise PlaceRefused(f"There is no secret group {name} here any more.")
    return group


def _find(
    session: Session, tenant: UUID, group: str, key: str, *, lock: bool = False
) -> Secret | None:
    found = (
        mine(Secret, tenant)
        .join(
            SecretGroup,
            (SecretGroup.id == Secret.group_id) & (SecretGroup.tenant_id == Secret.tenant_id),
        )
        .where(SecretGroup.name == group, Secret.key == key)
    )
    if lock:
        found = found.with_for_update(key_share=True, of=Secret)
    return session.scalar(found)


def _newest(session: Session, secret: Secret) -> SecretVersion | None:
    return session.scalar(_versions(secret))


def _stored(session: Session, secret: Secret) -> Stored | None:
    newest = _newest(session, secret)
    if newest is None:
        return None
    before = session.scalar(_versions(secret).where(SecretVersion.mark.is_not(None)))
    return Stored(newest.id, newest.version, newest.mark, before.mark if before else None)


def _versions(secret: Secret) -> Select[SecretVersion]:
    return (
        mine(SecretVersion, secret.tenant_id)
        .where(SecretVersion.secret_id == secret.id)
        .order_by(SecretVersion.version.desc())
        .limit(1)
    )
