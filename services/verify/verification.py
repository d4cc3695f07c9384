"""Verify: whether a bearer token is good, and whose it is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from core import jwts
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
from models.tokens import is_live
from services import bulk
from services.access.permits import permits_of_account, permits_of_user
from services.identity.exchanged import look_up_exchanged
from services.identity.external_jwts import examine
from services.identity.mapped import whom
from services.identity.provider_keys import Wanted
from services.runtime import Runtime
from services.verify.verdicts import Found, Reason, Rejected, Verified

__all__ = [
    "Found",
    "Reason",
    "Rejected",
    "Verified",
    "actor_of",
    "look_up",
    "look_up_jwt",
    "verify",
]


def verify(runtime: Runtime, text: str | None) -> Verified | Rejected:
    """Answers from the row and the time alone; garbage is refused without a query."""
    if not text:
        return Rejected(Reason.MISSING)
    token = recognise(text)
    if token is None:
        return Rejected(Reason.MALFORMED)
    if token.kind is TokenKind.JWT:
        found = look_up_jwt(runtime, token)
        if isinstance(found, Wanted):
            found.wait()
            found = look_up_jwt(runtime, token, waited=True)
        assert isinstance(found, Found)
        return found.verdict
    with runtime.database.reading() as session:
        return look_up(session, [token], runtime.now())[token.hash].verdict


def look_up_jwt(runtime: Runtime, token: Token, *, waited: bool = False) -> Found | Wanted:
    """What this JWT is: one of Keyturn's own, or of an identity provider that a tenant trusts.

    Wanted if the provider's keys have to be waited for first, which somebody who has `waited`
    is not told. Unready if they are not to be had.
    """
    said = jwts.read(token.reveal())
    if said is None:
        return Found(Rejected(Reason.MALFORMED))
    if not runtime.own_keys.are_meant(said):
        return _external(runtime, token, said, waited=waited)
    if runtime.own_keys.refuse(token.reveal(), said):
        return Found(Rejected(Reason.WRONG_SIGNATURE))
    with runtime.verifying.reading() as session:
        return look_up(session, [token], runtime.now())[token.hash]


def _external(
    runtime: Runtime, token: Token, said: jwts.Unverified, *, waited: bool
) -> Found | Wanted:
    examined = examine(runtime, token.reveal(), said, waited=waited)
    if isinstance(examined, Wanted):
        return examined
    if examined.refusal is not None:
        return examined.refused()
    with runtime.verifying.reading() as session:
        return whom(session, examined, said, runtime.now())


def look_up(session: Session, tokens: Iterable[Token], now: datetime) -> dict[bytes, Found]:
    """What each of these tokens is, by its hash: one query per kind, however many there are."""
    by_kind = defaultdict(list)
    for token in tokens:
        by_kind[token.kind].append(token.hash)
    found: dict[bytes, Found] = {}
    for kind, hashes in by_kind.items():
        found |= dict.fromkeys(hashes, Found(Rejected(Reason.UNKNOWN)))
        if kind in _LOOKS:
            found.update(_LOOKS[kind](session, hashes, now))
    return found


def _virtual_accounts(
    session: Session, hashes: Sequence[bytes], now: datetime
) -> Iterator[tuple[bytes, Found]]:
    rows = session.execute(
        select(
            TokenRow.hash,
            TokenRow.tenant_id,
            TokenRow.id,
            TokenRow.generation,
            TokenRow.state,
            TokenRow.valid_until,
            TokenRow.grace_until,
            VirtualAccount.id.label("account_id"),
            VirtualAccount.name.label("account"),
            VirtualAccount.state.label("account_state"),
            Tenant.name.label("tenant"),
        )
        .join(
            VirtualAccount,
            (VirtualAccount.id == TokenRow.account_id)
            & (VirtualAccount.tenant_id == TokenRow.tenant_id),
        )
        .join(Tenant, Tenant.id == TokenRow.tenant_id)
        .where(bulk.equals_any(session, TokenRow.hash, hashes))
    )
    for row in rows:
        subjects = (row.id, row.account_id, row.tenant_id)
        works = is_live(row.state, row.valid_until, now)
        if not works or row.account_state is not AccountState.ACTIVE:
            yield row.hash, Found(_why(row.state, row.grace_until), subjects)
            continue
        verified = Verified(
            tenant_id=row.tenant_id,
            tenant=row.tenant,
            kind=ActorKind.VIRTUAL_ACCOUNT,
            subject_id=row.account_id,
            subject=row.account,
            token_id=row.id,
            generation=row.generation,
            state=row.state.value,
            valid_until=row.valid_until,
        )
        yield row.hash, Found(verified, subjects, row.valid_until)


def _personal(
    session: Session, hashes: Sequence[bytes], now: datetime
) -> Iterator[tuple[bytes, Found]]:
    model = PersonalAccessToken
    for row in session.execute(_of_people(session, model, hashes, model.name, model.revoked_at)):
        subjects = (row.id, row.user_id, row.tenant_id)
        if row.revoked_at is not None:
            yield row.hash, Found(Rejected(Reason.REVOKED), subjects)
        elif _is_over(row.expires_at, now):
            yield row.hash, Found(Rejected(Reason.EXPIRED), subjects)
        else:
            verdict = _of_person(row, row.name, with_personal_token=True)
            yield row.hash, Found(verdict, subjects, row.expires_at)


def _sessions(
    session: Session, hashes: Sequence[bytes], now: datetime
) -> Iterator[tuple[bytes, Found]]:
    made_with = PersonalAccessToken
    rows = session.execute(
        _of_people(
            session,
            LoginSession,
            hashes,
            made_with.id.label("made_with"),
            made_with.revoked_at.label("made_with_revoked"),
            made_with.expires_at.label("made_with_ends"),
        ).outerjoin(
            made_with,
            (made_with.id == LoginSession.personal_access_token_id)
            & (made_with.tenant_id == LoginSession.tenant_id),
        )
    )
    for row in rows:
        subjects = (row.id, row.user_id, row.tenant_id, *filter(None, [row.made_with]))
        if _is_over(row.expires_at, now):
            yield row.hash, Found(Rejected(Reason.EXPIRED), subjects)
        elif row.made_with_revoked is not None or _is_over(row.made_with_ends, now):
            yield row.hash, Found(Rejected(Reason.REVOKED), subjects)
        else:
            verdict = _of_person(row, None, with_personal_token=row.made_with is not None)
            until = min(filter(None, [row.expires_at, row.made_with_ends]))
            yield row.hash, Found(verdict, subjects, until)


def _of_people(
    session: Session,
    model: type[PersonalAccessToken] | type[LoginSession],
    hashes: Sequence[bytes],
    *more: Any,
) -> Select[Any]:
    return (
        select(
            model.hash,
            model.tenant_id,
            model.id,
            model.user_id,
            model.expires_at,
            User.email,
            User.active,
            Tenant.name.label("tenant"),
            *more,
        )
        .join(User, (User.id == model.user_id) & (User.tenant_id == model.tenant_id))
        .join(Tenant, Tenant.id == model.tenant_id)
        .where(bulk.equals_any(session, model.hash, hashes))
    )


def _of_person(
    row: Row[Any], name: str | None, *, with_personal_token: bool
) -> Verified | Rejected:
    """While its owner is not active, nothing of theirs works."""
    if not row.active:
        return Rejected(Reason.INACTIVE)
    return Verified(
        tenant_id=row.tenant_id,
        tenant=row.tenant,
        kind=ActorKind.USER,
        subject_id=row.user_id,
        subject=row.email,
        token_id=row.id,
        token_name=name,
        valid_until=row.expires_at,
        is_session=name is None,
        with_personal_token=with_personal_token,
    )


_Look = Callable[[Session, Sequence[bytes], datetime], Iterator[tuple[bytes, Found]]]
_LOOKS: dict[TokenKind, _Look] = {
    TokenKind.VIRTUAL_ACCOUNT: _virtual_accounts,
    TokenKind.PERSONAL: _personal,
    TokenKind.SESSION: _sessions,
    TokenKind.EXCHANGED: look_up_exchanged,
    TokenKind.JWT: _virtual_accounts,
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


def _is_over(end: datetime | None, now: datetime) -> bool:
    return end is not None and end <= now


def _why(state: TokenState, grace_until: datetime | None) -> Rejected:
    if state is TokenState.REVOKED:
        return Rejected(Reason.REVOKED)
    return Rejected(Reason.EXPIRED if grace_until is None else Reason.OUT_OF_GRACE)
