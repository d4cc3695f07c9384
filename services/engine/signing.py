"""Signing keys: which one signs a tenant's JWTs now; made when needed, turned by age or command.

A new key is published some time before it signs, so that offline verifiers know it by then. An
old one is published until the last token that it signed is past its `exp`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session, aliased

from core.actors import Actor
from core.errors import MasterKeyMissing, SealBroken
from core.ids import new_id
from core.jwks import new_pair, open_private
from models import SigningKey, Tenant, TokenRow, TokenType
from services.engine.surroundings import Surroundings, Turnable
from services.keys import Keyring
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import mine

# Published for so long before it signs: longer than anybody keeps the published keys.
LEAD = timedelta(minutes=10)
KEPT_FOR = timedelta(minutes=5)
_SETTLED = timedelta(hours=1)  # by then no commit that signed with the key before is open


class Signer(NamedTuple):
    """What signs a tenant's JWTs, and in whose name."""

    key_id: UUID
    kid: str
    algorithm: str
    private: Any
    issuer: str


@dataclass(frozen=True)
class PublishedKey:
    """A signing key as people see it. `state`: coming, signing or verifying."""

    kid: str
    algorithm: str
    state: str
    created_at: datetime
    signs_from: datetime


def add_signers(
    session: Session,
    around: Surroundings,
    accounts: Iterable[Turnable],
    keyring: Keyring,
    now: datetime,
) -> None:
    """Brings along what signs for the tenants of those accounts that get a JWT.

    A tenant's first key is made here, and the next one when the newest is old enough. Where no
    key can be opened there is no signer.
    """
    wanted = {one.tenant_id for one in accounts if one.token_type is TokenType.JWT}
    if not wanted:
        return
    tenants = session.execute(
        select(Tenant.id, Tenant.name, Tenant.jwt_algorithm).where(Tenant.id.in_(wanted))
    ).all()
    held = session.scalars(
        select(SigningKey)
        .where(SigningKey.tenant_id.in_(wanted), SigningKey.sealed.is_not(None))
        .order_by(SigningKey.signs_from.desc(), SigningKey.id.desc())
    ).all()
    for tenant in tenants:
        keys = [
            key
            for key in held
            if key.tenant_id == tenant.id and key.algorithm == tenant.jwt_algorithm
        ]
        if not keys:
            keys = [_make(session, keyring, tenant.id, tenant.jwt_algorithm, now, signs_from=now)]
        elif keys[0].created_at + keyring.signing.longest <= now:
            _make(session, keyring, tenant.id, tenant.jwt_algorithm, now, signs_from=now + LEAD)
        key = next((one for one in keys if one.signs_from <= now), keys[-1])
        if (signer := _open(keyring, key)) is not None:
            around.signers[tenant.id] = (tenant.name, signer)


def rotate_signing_key(runtime: Runtime, actor: Actor, *, at_once: bool = False) -> PublishedKey:
    """The actor's tenant has a new key, which signs after LEAD, or `at_once`.

    Needs `settings:update` on the tenant.
    """
    actor.demand_everywhere("settings:update")

    def use_case(session: Session, outbox: Outbox) -> SigningKey:
        tenant = session.get_one(Tenant, actor.tenant_id)
        now = outbox.now
        key = _make(
            session,
            runtime.keyring,
            tenant.id,
            tenant.jwt_algorithm,
            now,
            signs_from=now if at_once else now + LEAD,
        )
        outbox.audit(
            actor,
            "signing-key.rotated",
            subject_type="tenant",
            subject_id=tenant.id,
            subject_name=tenant.name,
            detail={"kid": key.kid, "algorithm": key.algorithm},
        )
        return key

    key = runtime.change(use_case)
    return next(one for one in _published(runtime, actor.tenant_id) if one.kid == key.kid)


def list_signing_keys(runtime: Runtime, actor: Actor) -> list[PublishedKey]:
    """The keys of the actor's tenant that are published, the newest first."""
    actor.demand_everywhere("settings:read")
    return _published(runtime, actor.tenant_id)


def _published(runtime: Runtime, tenant_id: UUID) -> list[PublishedKey]:
    now = runtime.now()
    with runtime.database.reading() as session:
        algorithm = session.get_one(Tenant, tenant_id).jwt_algorithm
        rows = session.scalars(
            mine(SigningKey, tenant_id).order_by(SigningKey.signs_from.desc(), SigningKey.id.desc())
        ).all()
    usable = [row for row in rows if row.sealed is not None and row.algorithm == algorithm]
    signing = next((row for row in usable if row.signs_from <= now), None)
    return [
        PublishedKey(
            row.kid, row.algorithm, _state(row, signing, now), row.created_at, row.signs_from
        )
        for row in rows
    ]


def published_keys(runtime: Runtime) -> list[Mapping[str, Any]]:
    """The public halves of all tenants' keys, as a JSON web key set has them."""
    with runtime.database.reading() as session:
        return list(session.scalars(select(SigningKey.public).order_by(SigningKey.kid)))


def prune_signing_keys(session: Session, now: datetime) -> int:
    """Keys that sign no more lose their private half; those that nothing needs go."""
    newer = aliased(SigningKey)
    is_old = exists().where(
        newer.tenant_id == SigningKey.tenant_id,
        newer.signs_from > SigningKey.signs_from,
        newer.signs_from <= now - _SETTLED,
    )
    is_needed = exists().where(
        TokenRow.tenant_id == SigningKey.tenant_id,
        TokenRow.signing_key_id == SigningKey.id,
        TokenRow.expires_at > now - _SETTLED,
    )
    for key in session.scalars(select(SigningKey).where(is_old, SigningKey.sealed.is_not(None))):
        key.sealed = None
    session.flush()
    gone = list(session.scalars(select(SigningKey.id).where(is_old, ~is_needed)))
    if gone:
        session.execute(delete(SigningKey).where(SigningKey.id.in_(gone)))
    return len(gone)


def _make(
    session: Session,
    keyring: Keyring,
    tenant_id: UUID,
    algorithm: str,
    now: datetime,
    *,
    signs_from: datetime,
) -> SigningKey:
    closed, public = new_pair(algorithm)
    key_id = new_id()
    key = SigningKey(
        tenant_id=tenant_id,
        id=key_id,
        kid=public["kid"],
        algorithm=algorithm,
        public=public,
        sealed=keyring.seal("signing_keys", tenant_id, key_id, closed),
        created_at=now,
        signs_from=signs_from,
    )
    session.add(key)
    session.flush()
    return key


def _open(keyring: Keyring, key: SigningKey) -> Signer | None:
    assert key.sealed is not None
    try:
        closed = keyring.open("signing_keys", key.tenant_id, key.id, key.sealed)
    except (SealBroken, MasterKeyMissing):
        return None
    return Signer(key.id, key.kid, key.algorithm, open_private(closed), keyring.signing.issuer)


def _state(row: SigningKey, signing: SigningKey | None, now: datetime) -> str:
    if row is signing:
        return "signing"
    return "coming" if row.signs_from > now else "verifying"
