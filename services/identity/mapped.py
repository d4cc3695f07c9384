"""Whom an identity provider's JWT speaks for: the account it is mapped to, or a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jwts
from core.actors import ActorKind
from core.claims import pick
from core.manifests import IdentityProviderMapping
from models import AccountState, IdentityMapping, User, VirtualAccount
from services.identity.external_jwts import Examined, check_conditions, ends_at
from services.identity.trusted_providers import Trusted
from services.scope import mine
from services.verify.verdicts import Found, Reason, Verified

Entry = tuple[IdentityMapping, VirtualAccount]

_MOST_VALUES = 100
_LONGEST_VALUE = 500


def whom(session: Session, found: Examined, said: jwts.Unverified, now: datetime) -> Found:
    """The account or person that an examined JWT speaks for, by itself; or why for nobody."""
    provider = _provider(found)
    rows = _candidates(session, found, said)
    if not rows and provider.manifest.users is not None:
        return _person(session, found, said)
    entry = _choose(found, said, rows, now)
    if entry is None:
        return found.refused(*(account.id for _, account in rows))
    _, account = entry
    until = min(filter(None, (ends_at(said), account.expires_at)))
    return _is(provider, ActorKind.VIRTUAL_ACCOUNT, account.id, account.name, until)


def entry_for(
    session: Session,
    found: Examined,
    said: jwts.Unverified,
    now: datetime,
    account: str | None = None,
) -> Entry | None:
    """The mapping by which an examined JWT may stand for an account: None if there is none.

    For the account of this name, or the only one that the JWT names itself. The checks say why.
    """
    return _choose(found, said, _candidates(session, found, said, account), now)


def subjects_of(provider: Trusted, claims: Mapping[str, Any]) -> Sequence[str]:
    """The values of the claim that names the subject: one, or those of a list."""
    given = pick(claims, provider.manifest.subject)
    items = given[:_MOST_VALUES] if isinstance(given, list) else [given]
    texts = [
        str(item) for item in items if isinstance(item, str | int) and not isinstance(item, bool)
    ]
    return [text for text in texts if 0 < len(text) <= _LONGEST_VALUE]


def entry_of(row: IdentityMapping) -> IdentityProviderMapping:
    """What the manifest says of a mapping."""
    given = row.entry or {"identity_provider": row.identity_provider, "value": row.value}
    return IdentityProviderMapping.model_validate(given)


def meets(row: IdentityMapping, claims: Mapping[str, Any]) -> bool:
    """Whether the claims are as the mapping demands."""
    return all(one.is_met(claims) for one in entry_of(row).conditions)


def _candidates(
    session: Session, found: Examined, said: jwts.Unverified, account: str | None = None
) -> list[Entry]:
    """What is mapped to the JWT's subject; of an account that is named, patterns too."""
    provider = _provider(found)
    values = subjects_of(provider, said.claims)
    which = IdentityMapping.value.in_(values) if account is None else VirtualAccount.name == account
    rows = session.execute(
        select(IdentityMapping, VirtualAccount)
        .join(
            VirtualAccount,
            (VirtualAccount.id == IdentityMapping.subject_id)
            & (VirtualAccount.tenant_id == IdentityMapping.tenant_id),
        )
        .where(
            IdentityMapping.tenant_id == provider.tenant_id,
            IdentityMapping.provider_id == provider.id,
            VirtualAccount.state != AccountState.DELETED,
            which,
        )
        .order_by(IdentityMapping.id)
    )
    return [(row, of) for row, of in rows if any(entry_of(row).fits(one) for one in values)]


def _choose(
    found: Examined, said: jwts.Unverified, rows: Sequence[Entry], now: datetime
) -> Entry | None:
    provider = _provider(found)
    named = ", ".join(subjects_of(provider, said.claims))[:500] or "there is no such claim"
    if not found.check(
        "mapping", bool(rows), f"{provider.manifest.subject}: {named}", Reason.UNMAPPED
    ):
        return None
    met = [row for row in rows if meets(row[0], said.claims)]
    if not met:
        check_conditions(found, entry_of(rows[0][0]).conditions, said.claims, "mapped if")
        return None
    accounts = {account.id for _, account in met}
    _, account = met[0]
    chosen = (
        found.check("one account", len(accounts) == 1, f"{len(accounts)}", Reason.AMBIGUOUS)
        and found.check(
            "account", account.state is AccountState.ACTIVE, account.fqn, Reason.INACTIVE
        )
        and found.check("account's end", not account.is_expired(now), account.fqn, Reason.EXPIRED)
    )
    return met[0] if chosen else None


def _person(session: Session, found: Examined, said: jwts.Unverified) -> Found:
    provider = _provider(found)
    user = person_of(session, found, said.claims)
    if user is None:
        return found.refused()
    if not found.check("person", user.active, f"user:{user.email}", Reason.INACTIVE):
        return found.refused(user.id)
    return _is(provider, ActorKind.USER, user.id, user.email, ends_at(said))


def _is(provider: Trusted, kind: ActorKind, own_id: UUID, name: str, until: datetime) -> Found:
    verified = Verified(
        tenant_id=provider.tenant_id,
        tenant=provider.tenant,
        kind=kind,
        subject_id=own_id,
        subject=name,
        token_id=own_id,
        valid_until=until,
    )
    return Found(verified, (own_id, provider.id, provider.tenant_id), until)


def person_of(session: Session, found: Examined, claims: Mapping[str, Any]) -> User | None:
    """The person who has the address here that the provider has verified; None if nobody."""
    provider = _provider(found)
    email = claims.get("email")
    is_verified = claims.get("email_verified") is True or claims.get("email_verified") == "true"
    told = f"email {str(email)[:320]}, email_verified {str(claims.get('email_verified'))[:20]}"
    if not found.check("address", isinstance(email, str) and is_verified, told, Reason.UNMAPPED):
        return None
    user = session.scalar(mine(User, provider.tenant_id).where(User.email == _as_kept(str(email))))
    found.check("person", user is not None, "has this address here", Reason.UNMAPPED)
    return user


def _as_kept(email: str) -> str:
    """In small letters, as addresses are kept; but no other letter becomes one of those."""
    return email.lower() if email.isascii() else email


def _provider(found: Examined) -> Trusted:
    assert found.provider is not None
    return found.provider
