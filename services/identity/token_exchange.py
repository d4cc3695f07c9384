"""Token exchange: a workload's JWT for a short-lived token of the account that it may stand for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import jwts
from core.actors import Actor, ActorKind
from core.errors import Throttled
from core.ids import new_id
from core.tokens import Token, TokenKind, mint, recognise
from models import ExchangedToken, IdentityMapping, VirtualAccount
from services.identity.external_jwts import Examined, examine_patiently
from services.identity.mapped import entry_for, subjects_of
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find_locked, mine
from services.verify.verdicts import Reason, Rejected

MOST_LIVE = 1_000  # of one account
_FULL = "This account has too many exchanged tokens that still work."
_LONGEST_JTI = 200


@dataclass(frozen=True)
class Exchanged:
    """The new token, shown this once; what it is bound to, and for how long."""

    token: Token
    account: str
    lasts: timedelta


def exchange_token(
    runtime: Runtime,
    text: str,
    account: str | None = None,
    *,
    address: str | None = None,
    request_id: str | None = None,
) -> Exchanged | Rejected:
    """A token of the account of this name, or of the only one that the JWT is mapped to.

    It works for an hour at most, while the account is active, the mapping stands and the
    provider is trusted as it was. Throttled while the account has too many. Unready if the
    provider's keys are not to be had.
    """
    token = recognise(text)
    said = jwts.read(text) if token and token.kind is TokenKind.JWT else None
    if said is None:
        return Rejected(Reason.MALFORMED)
    if runtime.own_keys.are_meant(said):
        return Rejected(Reason.UNKNOWN_ISSUER)
    found = examine_patiently(runtime, text, said)
    if found.refusal is not None:
        return Rejected(found.refusal)

    def use_case(session: Session, outbox: Outbox) -> Exchanged | Rejected:
        entry = entry_for(session, found, said, outbox.now, account)
        if entry is None or not _still_stands(session, found, *entry, outbox.now):
            return Rejected(found.refusal or Reason.UNMAPPED)
        mapping, bound = entry
        made = _mint(session, bound, mapping, outbox.now, runtime.settings.exchanged_token_life)
        actor = Actor(
            tenant_id=bound.tenant_id,
            kind=ActorKind.VIRTUAL_ACCOUNT,
            name=bound.name,
            id=bound.id,
            address=address,
            request_id=request_id,
        )
        outbox.audit(
            actor,
            "token.exchanged",
            subject_type="virtual-account",
            subject_id=bound.id,
            subject_name=bound.name,
            detail=_detail(found, said, made.token.last_four),
        )
        return made

    return runtime.change(use_case)


def _still_stands(
    session: Session,
    found: Examined,
    mapping: IdentityMapping,
    account: VirtualAccount,
    now: datetime,
) -> bool:
    """With the account locked: nobody takes the mapping away until the commit."""
    find_locked(session, VirtualAccount, account.tenant_id, account.id, "virtual account")
    key = (mapping.id, mapping.tenant_id)
    stands = session.get(IdentityMapping, key, populate_existing=True) is not None
    return found.check("mapping", stands, "it still stands", Reason.UNMAPPED) and found.check(
        "account", account.is_working(now), account.fqn, Reason.INACTIVE
    )


def _mint(
    session: Session,
    account: VirtualAccount,
    mapping: IdentityMapping,
    now: datetime,
    life: timedelta,
) -> Exchanged:
    live = mine(ExchangedToken, account.tenant_id).where(
        ExchangedToken.account_id == account.id,
        ExchangedToken.revoked_at.is_(None),
        ExchangedToken.expires_at > now,
    )
    if (session.scalar(select(func.count()).select_from(live.subquery())) or 0) >= MOST_LIVE:
        raise Throttled(60, _FULL)
    token = mint(TokenKind.EXCHANGED)
    ends = min(filter(None, (now + life, account.expires_at)))
    session.add(
        ExchangedToken(
            tenant_id=account.tenant_id,
            id=new_id(),
            account_id=account.id,
            mapping_id=mapping.id,
            hash=token.hash,
            last_four=token.last_four,
            created_at=now,
            expires_at=ends,
        )
    )
    session.flush()
    return Exchanged(token, account.name, ends - now)


def _detail(found: Examined, said: jwts.Unverified, last_four: str) -> dict[str, str]:
    assert found.provider is not None
    jti = said.claims.get("jti")
    told = {
        "identity_provider": found.provider.name,
        "subject": ", ".join(subjects_of(found.provider, said.claims))[:500],
        "token": f"…{last_four}",
    }
    return told | ({"jti": jti[:_LONGEST_JTI]} if isinstance(jti, str) else {})
