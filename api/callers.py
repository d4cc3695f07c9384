"""Who calls: the bearer token of a request becomes an actor, or the request is refused."""

from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.failed_logins import failed_logins_of
from core.actors import Actor
from core.errors import Unauthenticated
from services.runtime import Runtime
from services.verify.verification import Rejected, Verified, actor_of

# Says in the OpenAPI document how to log in; `bearer` is what reads the header.
BEARER = Depends(
    HTTPBearer(
        scheme_name="bearer",
        description="A virtual account's token, a personal access token or a login session.",
        auto_error=False,
    )
)


def runtime_of(request: Request) -> Runtime:
    return cast("Runtime", request.app.state.runtime)


def bearer(request: Request) -> str | None:
    """The token of the Authorization header, if it is a bearer token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def address_of(request: Request) -> str | None:
    """The client's address; behind a trusted proxy, the one that the proxy names."""
    return request.client.host if request.client else None


def caller(request: Request, _documented: Annotated[object, BEARER]) -> Verified:
    """The verified bearer; Unauthenticated says why it is not good."""
    verified = failed_logins_of(request).verify(bearer(request), address_of(request))
    if isinstance(verified, Rejected):
        raise Unauthenticated(verified.reason.value)
    agent = request.headers.get("User-Agent")
    runtime_of(request).uses.count(verified.token_id, address_of(request), agent, "api")
    return verified


def acting(
    request: Request,
    runtime: Annotated[Runtime, Depends(runtime_of)],
    verified: Annotated[Verified, Depends(caller)],
) -> Actor:
    """The bearer with its permits of this moment; each use case says what it demands of them."""
    return actor_of(
        runtime,
        verified,
        address=address_of(request),
        request_id=request.state.request_id,
    )


TheRuntime = Annotated[Runtime, Depends(runtime_of)]
Caller = Annotated[Actor, Depends(acting)]
