"""What verification answers: whose a token is, or why it is not good."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.actors import ActorKind


class Reason(StrEnum):
    """Why a token is not good. Stable: clients and metrics read it."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    OUT_OF_GRACE = "out_of_grace"
    INACTIVE = "inactive"
    # Of JWTs alone:
    UNKNOWN_ISSUER = "unknown_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_ALGORITHM = "wrong_algorithm"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"
    NOT_YET_VALID = "not_yet_valid"
    REFUSED_CLAIMS = "refused_claims"
    UNMAPPED = "unmapped"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True)
class Verified:
    """A good token: whose, which one, and until when (None: no end is set).

    `generation` and `state` are a virtual account's. A person's token is `token_name`, unless
    it is a login session; one that was made with a token ends with that, and counts as it. Of an
    identity provider's JWT, which has no row, `token_id` is the subject's own.
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


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up answers: the verdict, until when it holds by itself, and what may end it.

    A change of any of `subjects` (its token, account or person, and tenant) may change it.
    """

    verdict: Verified | Rejected
    subjects: tuple[UUID, ...] = ()
    until: datetime | None = None
