"""Whether a JWT of an identity provider is good: check after check, until one is not passed.

The same checks answer verify, exchange and the question why.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

from core import jwts
from core.claims import Condition
from services.changes import PROVIDERS
from services.identity.provider_keys import Wanted
from services.identity.trusted_providers import Trusted
from services.runtime import Runtime
from services.verify.verdicts import Found, Reason, Rejected

SKEW = timedelta(seconds=30)  # how far a provider's clock may be ahead
_MOST_AUDIENCES = 50
# What else has a type of its own, such as a logout token, is no bearer token.
_TYPES = {None, "jwt", "jose", "at+jwt", "application/at+jwt"}
_UNBOUND = "not bound to a key of its holder (cnf)"


@dataclass(frozen=True)
class Check:
    """One of the checks. `reason` is why a JWT that does not pass it is refused."""

    name: str
    passed: bool
    said: str
    reason: Reason


@dataclass
class Examined:
    """What was checked so far, and the provider whose JWT it is, once that is known."""

    checks: list[Check] = field(default_factory=list)
    provider: Trusted | None = None

    def check(self, name: str, passed: bool, said: str, reason: Reason) -> bool:
        """Notes it, and answers whether it was passed."""
        self.checks.append(Check(name, passed, said, reason))
        return passed

    @property
    def refusal(self) -> Reason | None:
        """Why the JWT is not good; None as long as it is."""
        return next((one.reason for one in self.checks if not one.passed), None)

    @property
    def subjects(self) -> tuple[UUID, ...]:
        """What a refusal depends on."""
        return (PROVIDERS,) if self.provider is None else (self.provider.id, PROVIDERS)

    def refused(self, *more: UUID) -> Found:
        """The refusal, as verifiers keep it."""
        assert self.refusal is not None
        return Found(Rejected(self.refusal), (*self.subjects, *more))


def examine(
    runtime: Runtime,
    text: str,
    said: jwts.Unverified,
    *,
    tenant_id: UUID | None = None,
    found: Examined | None = None,
    waited: bool = False,
) -> Examined | Wanted:
    """Everything but whom it speaks for, in the eyes of all tenants or of this one.

    Unready if the provider's keys are not to be had; `found` then has the checks before that.
    """
    found = found or Examined()
    found.checks.clear()
    provider = _provider(runtime, found, said, tenant_id)
    return found if provider is None else _of(runtime, found, provider, text, said, waited)


def examine_patiently(
    runtime: Runtime,
    text: str,
    said: jwts.Unverified,
    *,
    tenant_id: UUID | None = None,
    found: Examined | None = None,
) -> Examined:
    """The same for a thread, which waits for the provider's keys if need be."""
    made = examine(runtime, text, said, tenant_id=tenant_id, found=found)
    if isinstance(made, Wanted):
        made.wait()
        made = examine(runtime, text, said, tenant_id=tenant_id, found=found, waited=True)
    assert isinstance(made, Examined)
    return made


def examine_id_token(
    runtime: Runtime, provider: Trusted, text: str, said: jwts.Unverified, nonce: str
) -> Examined:
    """The same of an ID token that a person's login got for Keyturn as a client, patiently."""
    sign_in = provider.manifest.sign_in
    assert sign_in is not None
    found, claims, own = Examined(provider=provider), said.claims, sign_in.client_id
    audiences, party = _audiences(claims.get("aud")), claims.get("azp")
    is_ours = party == own if party is not None or len(audiences) > 1 else True
    given = claims.get("nonce")
    passed = (
        found.check(
            "issuer",
            claims.get("iss") == provider.manifest.issuer,
            str(claims.get("iss"))[:500],
            Reason.UNKNOWN_ISSUER,
        )
        and found.check(
            "audience", own in audiences and is_ours, str(party)[:300], Reason.WRONG_AUDIENCE
        )
        and found.check(
            "nonce",
            isinstance(given, str) and compare_digest(given.encode(), nonce.encode()),
            "of this login",
            Reason.REFUSED_CLAIMS,
        )
    )
    if passed:
        made = _of(runtime, found, provider, text, said, False)
        if isinstance(made, Wanted):
            made.wait()
            _of(runtime, found, provider, text, said, True)
    return found


def check_conditions(
    found: Examined, conditions: Iterable[Condition], claims: Any, name: str = "conditions"
) -> bool:
    """Whether the claims are as demanded; the first that is not is told."""
    failed = next((one for one in conditions if not one.is_met(claims)), None)
    told = "all are met" if failed is None else f"{failed.claim} is not as demanded"
    return found.check(name, failed is None, told, Reason.REFUSED_CLAIMS)


def ends_at(said: jwts.Unverified) -> datetime:
    """The last moment of a JWT that was examined."""
    end = jwts.moment(said.claims["exp"])
    assert end is not None
    return end


def _of(
    runtime: Runtime,
    found: Examined,
    provider: Trusted,
    text: str,
    said: jwts.Unverified,
    waited: bool,
) -> Examined | Wanted:
    """Of a JWT that is meant for this provider."""
    if not _says_what_it_should(found, provider, said, runtime.now()):
        return found
    keys = runtime.provider_keys.find(provider, said.kid or "", waited=waited)
    if isinstance(keys, Wanted):
        return keys
    if not found.check(
        "key", bool(keys), f"the provider has {len(keys)} keys of this kid", Reason.UNKNOWN_KEY
    ):
        return found
    is_signed = any(jwts.is_signed_with(text, key, said.algorithm) for key in keys)
    if found.check("signature", is_signed, said.algorithm, Reason.WRONG_SIGNATURE):
        check_conditions(found, provider.manifest.conditions, said.claims)
    return found


def _provider(
    runtime: Runtime, found: Examined, said: jwts.Unverified, tenant_id: UUID | None
) -> Trusted | None:
    issuer, providers = said.claims.get("iss"), runtime.providers
    is_known = isinstance(issuer, str) and providers.know(issuer, tenant_id)
    if not found.check("issuer", is_known, str(issuer)[:500], Reason.UNKNOWN_ISSUER):
        return None
    audiences = _audiences(said.claims.get("aud"))
    named = providers.of(str(issuer), audiences)
    own = [one for one in named if tenant_id in {None, one.tenant_id}]
    told = ", ".join(audiences)[:500] or "none that can be read"
    if len(named) > 1:
        told += "; they belong to several providers"
    if not found.check("audience", len(named) == len(own) == 1, told, Reason.WRONG_AUDIENCE):
        return None
    found.provider = own[0]
    return found.provider


def _says_what_it_should(
    found: Examined, provider: Trusted, said: jwts.Unverified, now: datetime
) -> bool:
    allowed = provider.manifest.algorithms
    kind = said.kind.lower() if isinstance(said.kind, str) else said.kind
    claims = said.claims
    end = jwts.moment(claims.get("exp"))
    return (
        found.check("algorithm", said.algorithm in allowed, said.algorithm, Reason.WRONG_ALGORITHM)
        and found.check("type", kind in _TYPES, str(kind)[:100], Reason.MALFORMED)
        and found.check("key name", bool(said.kid), str(said.kid)[:200], Reason.UNKNOWN_KEY)
        and found.check("end", end is not None, "exp is a moment", Reason.MALFORMED)
        and found.check("not expired", end is not None and now < end, str(end), Reason.EXPIRED)
        and all(_has_begun(found, claims, name, now) for name in ("nbf", "iat"))
        and found.check("bearer", "cnf" not in claims, _UNBOUND, Reason.REFUSED_CLAIMS)
    )


def _has_begun(found: Examined, claims: Any, name: str, now: datetime) -> bool:
    if name not in claims:
        return True
    begins = jwts.moment(claims[name])
    if begins is None:
        return found.check(name, False, "no moment", Reason.MALFORMED)
    return found.check(name, begins <= now + SKEW, str(begins), Reason.NOT_YET_VALID)


def _audiences(given: Any) -> list[str]:
    """Those of the claim; none if one of them is no text, or there are too many to look at."""
    audiences = given if isinstance(given, list) else [given]
    if len(audiences) > _MOST_AUDIENCES or not all(isinstance(one, str) for one in audiences):
        return []
    return audiences
