"""Verify: whether a bearer token is good."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api import errors
from api.callers import BEARER, TheRuntime, address_of, bearer
from api.failed_logins import failed_logins_of
from api.shapes import moment
from services.runtime import Runtime
from services.verification import Reason, Rejected, Verified, verify

router = APIRouter(prefix="/api/v1", tags=["verify"])

_WORDS = {
    Reason.MISSING: "Send the token as `Authorization: Bearer ...`.",
    Reason.MALFORMED: "This is not a token of Keyturn.",
    Reason.UNKNOWN: "Keyturn does not know this token.",
    Reason.EXPIRED: "This token is past its expiration date.",
    Reason.REVOKED: "This token was revoked.",
    Reason.INACTIVE: "The owner of this token is not active.",
    Reason.OUT_OF_GRACE: "This token was rotated, and its grace is over: fetch the current one.",
}


@router.get("/verify", response_model=None, dependencies=[BEARER])
def verify_token(request: Request, runtime: TheRuntime) -> dict[str, Any] | JSONResponse:
    """Whose the bearer token is and until when it works; 401 says why it does not."""
    answer = _answer_to(request, runtime)
    if isinstance(answer, Rejected):
        details = [{"reason": answer.reason.value}]
        challenge = "Bearer"
        if answer.reason is not Reason.MISSING:
            challenge += f' error="invalid_token", error_description="{answer.reason.value}"'
        return JSONResponse(
            errors.body(401, _WORDS[answer.reason], answer.reason.value, details),
            401,
            {"WWW-Authenticate": challenge},
        )
    subject = {"type": answer.kind.value, "id": str(answer.subject_id), "name": answer.subject}
    return {
        "tenant": answer.tenant,
        "subject": subject,
        "tokenId": str(answer.token_id),
        "generation": answer.generation,
        "state": answer.state,
        "expiresAt": moment(answer.valid_until),
    }


def _answer_to(request: Request, runtime: Runtime) -> Verified | Rejected:
    """All of a gateway's clients share its address: limited only where a proxy names the client."""
    if not request.state.through_proxy:
        return verify(runtime, bearer(request))
    logins = failed_logins_of(request)
    return logins.verify(bearer(request), address_of(request), per_token=False)
