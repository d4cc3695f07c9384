"""The cookies of the console: the session's, which no script reads, and the colours' one."""

from starlette.requests import Request
from starlette.responses import Response

from console.parts import parts_of
from core.tokens import Token, TokenKind, recognise
from services.people.sessions import end_replaced
from services.people.sign_in import Opened
from services.runtime import Runtime

THEME = "keyturn-theme"
THEMES = ("auto", "light", "dark")

_SESSION = "keyturn"
_YEAR = 365 * 86_400


def session_name(*, is_https: bool) -> str:
    """By its prefix browsers send it to this very host alone, and only under TLS."""
    return f"__Host-{_SESSION}" if is_https else _SESSION


def session_of(request: Request) -> Token | None:
    """The session's token that came with the request, if it can be one."""
    name = session_name(is_https=parts_of(request).is_https)
    token = recognise(request.cookies.get(name, ""))
    return token if token is not None and token.kind is TokenKind.SESSION else None


def begin_session(request: Request, response: Response, opened: Opened, runtime: Runtime) -> None:
    """The browser keeps the session as long as it works; the one that it had before ends."""
    before = session_of(request)
    if before is not None:
        end_replaced(runtime, before)
    is_https = parts_of(request).is_https
    response.set_cookie(
        session_name(is_https=is_https),
        opened.token.reveal(),
        max_age=max(int((opened.until - runtime.now()).total_seconds()), 0),
        path="/",
        secure=is_https,
        httponly=True,
        samesite="lax",
    )


def forget_session(request: Request, response: Response) -> None:
    """The browser keeps it no longer."""
    is_https = parts_of(request).is_https
    response.delete_cookie(
        session_name(is_https=is_https), path="/", secure=is_https, httponly=True, samesite="lax"
    )


def theme_of(request: Request) -> str:
    """What the person chose; `auto` follows their system."""
    theme = request.cookies.get(THEME, "")
    return theme if theme in THEMES else THEMES[0]


def keep_theme(request: Request, response: Response, theme: str) -> None:
    response.set_cookie(
        THEME,
        theme,
        max_age=_YEAR,
        path="/",
        secure=parts_of(request).is_https,
        httponly=True,
        samesite="lax",
    )
