"""Verify: whether a bearer token is good, and whose it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.actors import Actor, ActorKind
from core.tokens import Token, TokenKind, recognise
from models import (
    AccountState,
    LoginSession,
    PersonalAccessToken,
    Tenant,
    TokenRow,
    TokenState,
    User,
    VirtualAccount,
)
from services.permits import permits_of_account, permits_of_user
from services.runtime import Runtime


class Reason(StrEnum):
    """Why a token is not good. Stable: clients and metrics read it."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    OUT_OF_GRACE = "out_of_grace"
    INACTIVE = "inactive"


@dataclass(frozen=True)
class Verified:
    """A good token: whose, which one, and until when (None: no end is set).

    `generation` and `state` are a virtual account's. A person's token is `token_name`, unless
    it is a login session; one that was made with a token ends with that, and counts as it.
    """

    tenant_id: UUID
    tenant: str
    kind: ActorKind
    subject_id: UUID
    subject: str
    token_id: UUID
    valid_until: datetime | None
    token_name: str | None = None
    generation: int | None = None
    state: str = "current"
    is_session: bool = False
    with_personal_token: bool = False


@dataclass(frozen=True)
class Rejected:
    """A token that is not good."""

    reason: Reason


def verify(runtime: Runtime, text: str | None) -> Verified | Rejected:
    """Answers from the row and the time alone; garbage is refused without a query."""
    if not text:
        return Rejected(Reason.MISSING)
    token = recognise(text)
    if token is None:
        return Rejected(Reason.MALFORMED)
    look = _LOOKS.get(token.kind)
    if look is None:
        return Rejected(Reason.UNKNOWN)
    with runtime.database.reading() as session:
        return look(session, token, runtime.now())


def _virtual_account(session: Session, token: Token, now: datetime) -> Verified | Rejected:
    found = session.execute(
        select(TokenRow, VirtualAccount, Tenant.name)
        .join(
            VirtualAccount,
            (VirtualAccount.id == TokenRow.account_id)
            & (VirtualAccount.tenant_id == TokenRow.tenant_id),
        )
        .join(Tenant, Tenant.id == TokenRow.tenant_id)
        .where(TokenRow.hash == token.hash)
    ).one_or_none()
    if found is None:
        return Rejected(Reason.UNKNOWN)
    row, account, tenant = found
    if not row.is_valid(now) or account.state is not AccountState.ACTIVE:
        return Rejected(_why(row))
    return Verified(
        tenant_id=row.tenant_id,
        tenant=tenant,
        kind=ActorKind.VIRTUAL_ACCOUNT,
        subject_id=account.id,
        subject=account.name,
        token_id=row.id,
        generation=row.generation,
        state=row.state.value,
        valid_until=row.valid_until,
    )


def _personal(session: Session, token: Token, now: datetime) -> Verified | Rejected:
    found = session.execute(
        _with_owner(PersonalAccessToken).where(PersonalAccessToken.hash == token.hash)
    ).one_or_none()
    if found is None:
        return Rejected(Reason.UNKNOWN)
    row, user, tenant = found
    if row.revoked_at is not None:
        return Rejected(Reason.REVOKED)
    if not row.is_valid(now):
        return Rejected(Reason.EXPIRED)
    return _of_person(row, user, tenant, row.name, with_personal_token=True)


def _session(session: Session, token: Token, now: datetime) -> Verified | Rejected:
    found = session.execute(
        _with_owner(LoginSession, PersonalAccessToken)
        .outerjoin(
            PersonalAccessToken,
            (PersonalAccessToken.id == LoginSession.personal_access_token_id)
            & (PersonalAccessToken.tenant_id == LoginSession.tenant_id),
        )
        .where(LoginSession.hash == token.hash)
    ).one_or_none()
    if found is None:
        return Rejected(Reason.UNKNOWN)
    row, user, tenant, made_with = found
    if row.expires_at <= now:
        return Rejected(Reason.EXPIRED)
    if made_with is not None and not made_with.is_valid(now):
        return Rejected(Reason.REVOKED)
    return _of_person(row, user, tenant, None, with_personal_token=made_with is not None)


def _with_owner(model: type[PersonalAccessToken] | type[LoginSession], *more: Any) -> Select[Any]:
    owner = (User.id == model.user_id) & (User.tenant_id == model.tenant_id)
    return (
        select(model, User, Tenant.name, *more)
        .join(User, owner)
        .join(Tenant, Tenant.id == model.tenant_id)
    )


def _of_person(
    row: PersonalAccessToken | LoginSession,
    user: User,
    tenant: str,
    name: str | None,
    *,
    with_personal_token: bool,
) -> Verified | Rejected:
    """While its owner is not active, nothing of theirs works."""
    if not user.active:
        return Rejected(Reason.INACTIVE)
    return Verified(
        tenant_id=row.tenant_id,
        tenant=tenant,
        kind=ActorKind.USER,
        subject_id=user.id,
        subject=user.email,
        token_id=row.id,
        token_name=name,
        valid_until=row.expires_at,
        is_session=name is None,
        with_personal_token=with_personal_token,
    )


_LOOKS = {
    TokenKind.VIRTUAL_ACCOUNT: _virtual_account,
    TokenKind.PERSONAL: _personal,
    TokenKind.SESSION: _session,
}


def actor_of(
    runtime: Runtime,
    verified: Verified,
    *,
    address: str | None = None,
    request_id: str | None = None,
) -> Actor:
    """The bearer as somebody who acts, with all that it may do at this moment."""
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, verified.tenant_id)
        is_user = verified.kind is ActorKind.USER
        permits_of = permits_of_user if is_user else permits_of_account
        permits = permits_of(session, tenant, verified.subject_id)
    return Actor(
        tenant_id=verified.tenant_id,
        kind=verified.kind,
        name=verified.subject,
        id=verified.subject_id,
        permits=permits,
        token_id=verified.token_id,
        token_name=verified.token_name,
        with_personal_token=verified.with_personal_token,
        address=address,
        request_id=request_id,
    )


def _why(row: TokenRow) -> Reason:
    if row.state is TokenState.REVOKED:
        return Reason.REVOKED
    return Reason.OUT_OF_GRACE if row.grace_until is not None else Reason.EXPIRED
