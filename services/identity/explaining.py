"""Why a JWT is good here or not: every check that verify makes, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

from core import jwts
from core.actors import Actor
from core.errors import InvalidInput, Unready
from core.tokens import TokenKind, recognise
from services.identity.external_jwts import Check, Examined, examine_patiently
from services.identity.identity_providers import NEEDS
from services.identity.mapped import whom
from services.runtime import Runtime
from services.verify.verdicts import Reason, Rejected, Verified


@dataclass(frozen=True)
class Explained:
    """The checks in their order, the last one failed unless the JWT is good; and whose it is."""

    checks: Sequence[Check]
    provider: str | None
    verdict: Verified | Rejected


def explain_jwt(runtime: Runtime, actor: Actor, text: str) -> Explained:
    """How the actor's tenant takes this JWT of an identity provider. Needs `settings:read`.

    Nothing of it is kept or logged. InvalidInput unless it is a JWT that can be read.
    """
    actor.demand_everywhere(NEEDS)
    token = recognise(text.strip())
    if token is None or token.kind is not TokenKind.JWT:
        raise InvalidInput("token", "paste a whole JWT: three parts with dots between them")
    said = jwts.read(token.reveal())
    if said is None:
        raise InvalidInput(
            "token",
            "header and claims are no JSON objects that are taken: names given twice, crit, or "
            "a key that is brought along",
        )
    found = _examined(runtime, actor, token.reveal(), said)
    verdict: Verified | Rejected
    if found.refusal is None:
        with runtime.verifying.reading() as session:
            verdict = whom(session, found, said, runtime.now()).verdict
    else:
        verdict = Rejected(found.refusal)
    return Explained(found.checks, found.provider.name if found.provider else None, verdict)


def _examined(runtime: Runtime, actor: Actor, text: str, said: jwts.Unverified) -> Examined:
    found = Examined()
    try:
        return examine_patiently(runtime, text, said, tenant_id=actor.tenant_id, found=found)
    except Unready:
        if found.provider is None:  # the database is away
            raise
    failure = runtime.provider_keys.failure(found.provider)
    found.check("key", False, failure or "the keys are being fetched", Reason.UNKNOWN_KEY)
    return found
