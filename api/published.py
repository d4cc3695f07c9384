"""What offline verifiers read: the keys of Keyturn's JWTs, and which of those ended early."""

import json
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from api.callers import TheRuntime
from services.engine.signing import KEPT_FOR, published_keys
from services.verify.revocations import MOST, revoked_jwts

router = APIRouter(prefix="/.well-known", tags=["JWTs"])

_JWKS_KEPT = f"public, max-age={int(KEPT_FOR.total_seconds())}"
_LIST_KEPT = "public, no-cache"

IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match")]


@router.get("/jwks.json", response_model=None)
def jwks(runtime: TheRuntime, if_none_match: IfNoneMatch = None) -> Response:
    """The keys by which JWTs of Keyturn are checked; old ones too, as long as they are needed."""
    return _answer({"keys": published_keys(runtime)}, _JWKS_KEPT, if_none_match)


@router.get("/revoked-tokens", response_model=None)
def revoked_tokens(
    runtime: TheRuntime,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """JWTs that ended before their `exp`, each until then; `after` is the last answer's `next`."""
    found = revoked_jwts(runtime, after=after, limit=limit)
    told: dict[str, Any] = {
        "revoked": [{"jti": str(one.id), "exp": int(one.expires_at.timestamp())} for one in found],
        "next": found[-1].number if found else after,
        "more": len(found) == limit,
    }
    return _answer(told, _LIST_KEPT, if_none_match)


def _answer(told: dict[str, Any], kept: str, if_none_match: str | None) -> Response:
    body = json.dumps(told, separators=(",", ":")).encode()
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": kept}
    known = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
