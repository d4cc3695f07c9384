"""An account's next JWT: what it says, and until when it may be taken."""

from datetime import datetime, timedelta
from uuid import UUID

from core import jwts
from core.errors import Conflict, Misconfigured
from core.tokens import Token
from services.engine.surroundings import Surroundings, Turnable

# A rotation may come so late before it presses.
_LATE = timedelta(minutes=10)


def end_of_jwt(account: Turnable, next_rotation_at: datetime | None) -> datetime:
    """The `exp`: it leaves time for the next rotation, its grace and the longest hold.

    An account that ends before that ends its token. Conflict if neither is known.
    """
    if next_rotation_at is None:
        end = account.expires_at
        if end is None:
            raise Conflict(f"A JWT ends: {account.name} needs auto_rotate or an expiration_date.")
    else:
        end = next_rotation_at + _LATE + account.grace + account.max_hold
        end = min(end, account.expires_at or end)
    return end.replace(microsecond=0)


def sign_token(
    account: Turnable,
    around: Surroundings,
    token_id: UUID,
    *,
    generation: int,
    now: datetime,
    expires_at: datetime,
) -> tuple[Token, UUID]:
    """The JWT and the id of the key that signed it; Misconfigured if there is no such key.

    `tenantName`, `username` and `subjectType` are what the reference's command reads.
    """
    if account.tenant_id not in around.signers:
        raise Misconfigured("The tenant's signing key cannot be opened.")
    tenant, signer = around.signers[account.tenant_id]
    claims = {
        "iss": signer.issuer,
        "sub": str(account.id),
        "jti": str(token_id),
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
        "tenant": tenant,
        "tenantName": tenant,
        "username": account.name,
        "subjectType": "serviceaccount",
        "generation": generation,
    }
    text = jwts.sign(claims, signer.private, kid=signer.kid, algorithm=signer.algorithm)
    return Token(text), signer.key_id
