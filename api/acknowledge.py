"""The page behind the acknowledge link of a notice.

Looking at it changes nothing, since mail scanners open links; its form acts. It holds no script,
loads nothing, is kept by nobody, and tells no other page where it was called from.
"""

import base64
from hashlib import sha256
from html import escape
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from api.callers import TheRuntime, address_of
from api.failed_logins import failed_logins_of
from core.errors import InvalidInput
from services.notices import acknowledging

router = APIRouter(include_in_schema=False)

_LONGEST_TOKEN = 200
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 48px 16px; background: #f4f5f7; color: #1a1d23;
  font: 16px/24px -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, Arial, sans-serif; }
main { max-width: 520px; margin: 0 auto; padding: 28px 32px; background: #fff;
  border: 1px solid #e2e5ea; border-radius: 12px; overflow-wrap: anywhere; }
b { font-size: 15px; }
h1 { margin: 24px 0 12px; font-size: 21px; line-height: 29px; font-weight: 600; }
p { margin: 0 0 16px; }
button { padding: 10px 18px; border: 0; border-radius: 8px; background: #2f5bd0; color: #fff;
  font: inherit; font-size: 15px; font-weight: 600; cursor: pointer; }
button:focus-visible { outline: 3px solid #9db8ff; outline-offset: 2px; }
@media (prefers-color-scheme: dark) {
  body { background: #14161a; color: #eceef2; }
  main { background: #1d2026; border-color: #2e333c; }
  button { background: #4a74e0; }
}
"""
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@router.get("/acknowledge")
def show(request: Request, runtime: TheRuntime, token: str = "") -> HTMLResponse:
    """What the link is about, and a form that acknowledges it."""
    try:
        with failed_logins_of(request).attempt(address_of(request)):
            found = acknowledging.look(runtime, token[:_LONGEST_TOKEN])
    except InvalidInput:
        return _over()
    if found.by:
        return _page("This has been acknowledged already.", f"By {found.by}.")
    until = f"{found.until:%Y-%m-%d %H:%M} UTC" if found.until else "it is ended"
    return _page(
        f"{found.account}: do all its consumers use the new token?",
        f"The old token of generation {found.generation} works until {until}. Once you confirm, "
        "nobody is warned of its end any more, and it may end earlier if the account says so.",
        form=token,
    )


async def _sent(request: Request) -> str:
    """The token of the form; nothing if it is no form of ours."""
    body = (await request.body()).decode(errors="replace")
    try:
        given = parse_qs(body, max_num_fields=10)
    except ValueError:
        return ""
    return given.get("token", [""])[0][:_LONGEST_TOKEN]


@router.post("/acknowledge")
def act(
    request: Request, runtime: TheRuntime, text: Annotated[str, Depends(_sent)]
) -> HTMLResponse:
    """Acknowledges it, once."""
    try:
        with failed_logins_of(request).attempt(address_of(request)):
            done = acknowledging.follow(
                runtime,
                text,
                address=address_of(request),
                request_id=request.state.request_id,
            )
    except InvalidInput:
        return _over()
    until = f"{done.until:%Y-%m-%d %H:%M} UTC" if done.until else "now"
    why = ""
    if done.still_used:
        why = " It does not end earlier, as it may still be in use."
    if done.waits_for_stores:
        why = " It does not end earlier, as a required store still lacks the new one."
    return _page(
        f"{done.account}: acknowledged", f"Thank you. The old token works until {until}.{why}"
    )


def _over() -> HTMLResponse:
    return _page(
        "This link is not valid any more.",
        "It was used already, or the old token has ended. There is nothing to do.",
        status=HTTPStatus.NOT_FOUND,
    )


def _page(
    heading: str, words: str, *, form: str = "", status: HTTPStatus = HTTPStatus.OK
) -> HTMLResponse:
    confirm = (
        '<form method="post" action="acknowledge"><input type="hidden" name="token" value="'
        f'{escape(form)}"><button type="submit">Yes, all of them do</button></form>'
        if form
        else ""
    )
    return HTMLResponse(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)} - Keyturn</title><style>{_STYLE}</style></head>"
        f"<body><main><b>Keyturn</b><h1>{escape(heading)}</h1><p>{escape(words)}</p>{confirm}"
        "</main></body></html>",
        status,
        _HEADERS,
    )
