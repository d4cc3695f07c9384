"""Signing in at an identity provider: off to it by a link, and back with what it says."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.cookies import begin_session
from console.parts import TheRuntime, address_of, parts_of, request_id_of
from console.rendering import Show
from console.visitors import local_path
from core.errors import InvalidInput, Unauthenticated
from services.identity.single_sign_on import (
    begin_sign_in,
    finish_sign_in,
    only_tenant,
    sign_in_choices,
)
from services.people.sign_in import Opened
from services.runtime import Runtime
from services.verify.verdicts import Reason, Rejected

router = APIRouter()

BACK = "/sign-in/back"
_COOKIE = "keyturn-sign-on"
_MINUTES = 10  # that a login waits
_WHY = {
    Reason.UNMAPPED: "Nobody is registered here by the address that your provider has verified: "
    "ask an admin for an invitation.",
    Reason.INACTIVE: "Your account here is not active: ask an admin to activate it.",
    Reason.REFUSED_CLAIMS: "This provider's login is not good for this Keyturn: "
    "ask an admin to look at its conditions.",
}
_NOT_GOOD = "What your provider says is not good ({}): ask an admin to look at its settings."


def ways(request: Request, runtime: Runtime) -> dict[str, Any]:
    """What the sign-in page offers: the providers of the only tenant, or of the named one."""
    only = only_tenant(runtime)
    named = request.query_params.get("tenant", "").strip()
    tenant = only or named
    choices = sign_in_choices(runtime, tenant) if tenant else []
    return {"choices": choices, "tenant": named, "asks_tenant": only is None}


def back_to(runtime: Runtime) -> str:
    """The address that providers have to know: they send people back to it."""
    return f"{runtime.settings.public_url.rstrip('/')}{BACK}"


@router.get("/sign-in/at/{provider_id}")
def begin(provider_id: UUID, request: Request, runtime: TheRuntime) -> Response:
    """Off to the provider. By a link and not a form, whose policy allows no way out."""
    parts_of(request).logins.begin(address_of(request))
    begun = begin_sign_in(runtime, provider_id, back_to(runtime))
    response = RedirectResponse(begun.url, HTTPStatus.SEE_OTHER)
    path = quote(local_path(request.query_params.get("next", "/")))  # cookies are ASCII
    kept = f"{begun.kept.reveal()} {path}"
    response.set_cookie(
        _COOKIE,
        kept,
        max_age=_MINUTES * 60,
        path=BACK,
        secure=parts_of(request).is_https,
        httponly=True,
        samesite="lax",  # the way back begins at another site
    )
    return response


@router.get(BACK)
def finish(request: Request, runtime: TheRuntime, show: Show) -> Response:
    """Back from the provider: a new session, and on to where the person was going."""
    kept, _, path = request.cookies.get(_COOKIE, "").partition(" ")
    path = local_path(unquote(path))
    try:
        with parts_of(request).logins.attempt(address_of(request)):
            opened = _opened(request, runtime, kept)
    except (InvalidInput, Unauthenticated) as error:
        why = error.reason if isinstance(error, Unauthenticated) else str(error)
        return show(
            "sign_in.html", HTTPStatus.FORBIDDEN, next=path, refused=why, **ways(request, runtime)
        )
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    response.delete_cookie(_COOKIE, path=BACK)
    begin_session(request, response, opened, runtime)
    return response


def _opened(request: Request, runtime: Runtime, kept: str) -> Opened:
    """The session; Unauthenticated or InvalidInput says why there is none."""
    query = request.query_params
    if "error" in query:
        raise Unauthenticated(f"Your provider let nobody in ({query['error'][:100]}): begin again.")
    opened = finish_sign_in(
        runtime,
        kept,
        query.get("state", ""),
        query.get("code", ""),
        issuer=query.get("iss"),
        address=address_of(request),
        request_id=request_id_of(request),
    )
    if isinstance(opened, Rejected):
        raise Unauthenticated(_WHY.get(opened.reason) or _NOT_GOOD.format(opened.reason.value))
    return opened
