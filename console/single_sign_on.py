"""Signing in at an identity provider: the console's side, whatever protocol the provider speaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.cookies import keep_session
from console.parts import TheRuntime, address_of, parts_of, request_id_of
from console.rendering import Show
from console.visitors import local_path
from core.errors import NotFound, Unauthenticated
from services.people.sign_in import Opened

router = APIRouter()

_COOKIE = "keyturn-sign-on"
_MINUTES = 10


@dataclass(frozen=True)
class Begun:
    """Where the browser goes now, and what it keeps until it comes back."""

    url: str
    kept: str


class Provider(Protocol):
    """One way to sign in elsewhere. `name` is part of addresses; people read `title`."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def begin(self, back_to: str) -> Begun:
        """`back_to` is the address that the provider sends the browser back to."""

    def finish(
        self,
        query: Mapping[str, str],
        kept: str,
        back_to: str,
        *,
        address: str | None,
        request_id: str | None,
    ) -> Opened:
        """The session of whoever came back; Unauthenticated says why there is none."""


def _provider(request: Request, name: str) -> Provider:
    for provider in parts_of(request).providers:
        if provider.name == name:
            return provider
    raise NotFound("way to sign in", name)


def _back_to(request: Request, name: str) -> str:
    home = parts_of(request).runtime.settings.public_url.rstrip("/")
    return f"{home}/sign-in/with/{name}/done"


@router.get("/sign-in/with/{name}")
def begin(name: str, request: Request) -> Response:
    """Off to the provider. By a link and not a form, whose policy allows no way out."""
    begun = _provider(request, name).begin(_back_to(request, name))
    response = RedirectResponse(begun.url, HTTPStatus.SEE_OTHER)
    kept = f"{begun.kept} {local_path(request.query_params.get('next', '/'))}"
    response.set_cookie(
        _COOKIE,
        kept,
        max_age=_MINUTES * 60,
        path="/sign-in/with/",
        secure=parts_of(request).is_https,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/sign-in/with/{name}/done")
def done(name: str, request: Request, runtime: TheRuntime, show: Show) -> Response:
    """Back from the provider: a new session, and on to where the person was going."""
    kept, _, path = request.cookies.get(_COOKIE, "").partition(" ")
    provider = _provider(request, name)
    parts, path = parts_of(request), local_path(path)
    try:
        with parts.logins.attempt(address_of(request)):
            opened = provider.finish(
                dict(request.query_params),
                kept,
                _back_to(request, name),
                address=address_of(request),
                request_id=request_id_of(request),
            )
    except Unauthenticated as error:
        return show(
            "sign_in.html",
            HTTPStatus.FORBIDDEN,
            next=path,
            providers=parts.providers,
            error=f"{provider.title}: {error.reason}.",
        )
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    response.delete_cookie(_COOKIE, path="/sign-in/with/")
    keep_session(request, response, opened, runtime.now())
    return response
