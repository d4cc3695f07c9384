"""How gateways are answered: ready-made bytes for what is asked again and again."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from api import errors
from api.shapes import moment
from core.actors import ActorKind
from services.verify.verification import Reason, Rejected, Verified
from services.verify.verifier import Answer, Held

Ready = tuple[list[tuple[bytes, bytes]], bytes]

WORDS = {
    Reason.MISSING: "Send the token as `Authorization: Bearer ...`.",
    Reason.MALFORMED: "This is not a token of Keyturn.",
    Reason.UNKNOWN: "Keyturn does not know this token.",
    Reason.EXPIRED: "This token is past its expiration date.",
    Reason.REVOKED: "This token was revoked.",
    Reason.INACTIVE: "The owner of this token is not active.",
    Reason.OUT_OF_GRACE: "This token was rotated, and its grace is over: fetch the current one.",
    Reason.UNKNOWN_ISSUER: "No identity provider with this issuer is trusted here.",
    Reason.WRONG_AUDIENCE: "This token is meant for somebody else: its aud is not Keyturn's.",
    Reason.WRONG_ALGORITHM: "This token is signed by an algorithm that is not allowed.",
    Reason.UNKNOWN_KEY: "The issuer has no such key as this token names.",
    Reason.WRONG_SIGNATURE: "The signature of this token is not its issuer's.",
    Reason.NOT_YET_VALID: "This token is not valid yet.",
    Reason.REFUSED_CLAIMS: "The claims of this token do not meet the conditions for it.",
    Reason.UNMAPPED: "Nobody here is whom this token names.",
    Reason.AMBIGUOUS: "This token names several accounts: exchange it for a token of one.",
}
_FORWARDED = (
    b"x-keyturn-tenant",
    b"x-keyturn-subject",
    b"x-keyturn-subject-type",
    b"x-keyturn-token-id",
    b"x-keyturn-generation",
    b"x-keyturn-expires-at",
)
_EMPTY = (b"content-length", b"0")
_NO_STORE = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")
_PLAIN = "!\"#$&'()*+,-./:;<=>?@[]^_`{|}~ "


def told(answer: Answer, allowed: bool) -> Ready:
    """Whose the good token is and until when it works, as verify says it."""
    key = "allowed" if allowed else "told"
    ready = (answer.ready or {}).get(key)
    if ready is None:
        ready = _keep(answer, key, _as_json(_whose(_good(answer)), allowed=allowed))
    return ready


def told_with_roles(answer: Answer, held: Held, allowed: bool) -> Ready:
    """The same, with every role that its bearer holds at this moment, by teams and bindings too."""
    roles = [
        {
            "role": grant.role.id,
            "resourceType": grant.resource_type,
            "resourceFqn": grant.resource_fqn,
        }
        for grant in held.permits.grants
    ]
    return _as_json(_whose(_good(answer)) | {"roles": roles}, allowed=allowed)


def passed(answer: Answer, _allowed: bool) -> Ready:
    """The same as headers, all of them always: a gateway copies what it is told to copy."""
    ready = (answer.ready or {}).get("passed")
    if ready is None:
        verified = _good(answer)
        values = (
            verified.tenant,
            verified.subject,
            verified.kind.value,
            str(verified.token_id),
            "" if verified.generation is None else str(verified.generation),
            moment(verified.valid_until) or "",
        )
        headers = [
            (name, quote(value, safe=_PLAIN).encode())
            for name, value in zip(_FORWARDED, values, strict=True)
        ]
        ready = _keep(answer, "passed", ([*headers, _EMPTY, _NO_STORE], b""))
    return ready


def introspected(verified: Verified, issuer: str) -> dict[str, Any]:
    """The good token as RFC 7662 says it; ours beside, by the names that verify has."""
    said: dict[str, Any] = {
        "active": True,
        "token_type": "Bearer",
        "iss": issuer,
        "sub": str(verified.subject_id),
        "client_id": verified.subject,
        "jti": str(verified.token_id),
        **_whose(verified),
    }
    if verified.kind is ActorKind.USER:
        said["username"] = verified.subject
    if verified.valid_until is not None:
        said["exp"] = int((verified.valid_until - _EPOCH).total_seconds())
    return said


def refused(rejected: Rejected) -> Response:
    """401, with the reason for programs and for people."""
    reason = rejected.reason
    challenge = "Bearer"
    if reason is not Reason.MISSING:
        challenge += f' error="invalid_token", error_description="{reason.value}"'
    body = errors.body(401, WORDS[reason], reason.value, [{"reason": reason.value}])
    return JSONResponse(body, 401, {"WWW-Authenticate": challenge})


def forbidden(action: str, fqn: str) -> Response:
    """403: the token is good, and no grant of its bearer allows this."""
    body = errors.body(
        403, f"This needs {action} on {fqn}.", "forbidden", [{"reason": "not_granted"}]
    )
    return JSONResponse(body, 403, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})


def ready_refusal(rejected: Rejected) -> Ready:
    """The same refusal as bytes."""
    return _REFUSALS[rejected.reason]


def _good(answer: Answer) -> Verified:
    assert isinstance(answer.verdict, Verified)
    return answer.verdict


def _whose(verified: Verified) -> dict[str, Any]:
    return {
        "tenant": verified.tenant,
        "subject": {
            "type": verified.kind.value,
            "id": str(verified.subject_id),
            "name": verified.subject,
        },
        "tokenId": str(verified.token_id),
        "generation": verified.generation,
        "state": verified.state,
        "expiresAt": moment(verified.valid_until),
    }


def _as_json(said: dict[str, Any], *, allowed: bool) -> Ready:
    if allowed:
        said["allowed"] = True
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return [_JSON, (b"content-length", str(len(body)).encode()), _NO_STORE], body


def _keep(answer: Answer, key: str, ready: Ready) -> Ready:
    answer.ready = {**(answer.ready or {}), key: ready}
    return ready


def _ready(response: Response) -> Ready:
    return [*response.raw_headers, _NO_STORE], bytes(response.body)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REFUSALS = {reason: _ready(refused(Rejected(reason))) for reason in Reason}
