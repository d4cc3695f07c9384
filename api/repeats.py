"""Idempotency-Key: how a call that mints can be repeated when its answer was lost."""

from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Header, Request

from services.kept_answers import Repeatable

_LONGEST_CALL = 200

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x20-\x7e]+$",
        description="A repeat under the same key within 24 hours gets the first answer.",
    ),
]


async def repeatable(request: Request, key: Key = None) -> Repeatable | None:
    """The call under its key; None if it has none."""
    if key is None:
        return None
    call = f"{request.method} {request.url.path}"
    if len(call) > _LONGEST_CALL:
        call = sha256(call.encode()).hexdigest()
    return Repeatable(call, key, sha256(await request.body()).digest())


Repeats = Annotated[Repeatable | None, Depends(repeatable)]
