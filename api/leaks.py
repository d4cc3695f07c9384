"""Reports of leaked tokens, by anybody: answered alike, and as late, whatever was reported."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from api.callers import address_of, runtime_of
from api.failed_logins import failed_logins_of
from services.notices.leaks import report_leak

router = APIRouter(tags=["leaks"])

# Longer than finding and turning a key takes: so how long it took tells nothing.
_ANSWERED_AFTER = 0.25  # seconds
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["token"],
                    "properties": {"token": {"type": "string", "description": "What was found."}},
                }
            }
        },
    }
}


@router.post("/api/v1/leaks", status_code=202, openapi_extra=_BODY)
async def report(request: Request) -> dict[str, Any]:
    """A token was found where it should not be: it is dealt with as its owner has configured.

    202 whatever was sent: nobody learns whether there is such a token.
    """
    address = address_of(request)
    failed_logins_of(request).begin(address)
    clock = asyncio.get_running_loop()
    answered_at = clock.time() + _ANSWERED_AFTER
    text = _token_in(await request.body())
    await run_in_threadpool(
        report_leak,
        runtime_of(request),
        text,
        address=address,
        request_id=request.state.request_id,
    )
    await asyncio.sleep(answered_at - clock.time())
    return {}


def _token_in(body: bytes) -> str:
    """What was reported; nothing if that cannot be a token."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    token = given.get("token") if isinstance(given, dict) else None
    return token.strip() if isinstance(token, str) else ""
