"""Against forged requests: what changes something comes from a page of ours, and says so twice.

The browser says from where it comes (Origin, Sec-Fetch-Site), and the form carries a token that
only a page of the same session can have. The token is new on every page, so that its compressed
length tells nothing; it needs no memory, since it is made from the session's own secret.
"""

import hmac
import secrets
from hashlib import sha256
from http import HTTPMethod
from urllib.parse import urlsplit

from starlette.requests import Request

from core.errors import Forbidden
from core.tokens import Token

FIELD = "csrf"
HEADER = "X-CSRF-Token"

_SAFE = {HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS}
_NONCE = 32  # hexadecimal digits
_OURS = {"same-origin", "none"}
_STALE = "This form is out of date, or not from this site. Go back, reload the page and try again."


def is_change(request: Request) -> bool:
    """Whether the request may change something."""
    return request.method not in _SAFE


def form_token(session: Token) -> str:
    """A token for the forms of one page of this session."""
    nonce = secrets.token_hex(_NONCE // 2)
    return nonce + _proof(session, nonce)


def check_token(session: Token, given: str) -> None:
    """Forbidden unless it was made for a page of this session."""
    nonce, proof = given[:_NONCE], given[_NONCE:]
    if not hmac.compare_digest(_proof(session, nonce).encode(), proof.encode()):
        raise Forbidden(_STALE)


def check_origin(request: Request, public_url: str) -> None:
    """Forbidden unless the browser says that the request comes from a page of ours.

    One that says nothing is refused too: every browser says it of what changes something.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        is_ours = site in _OURS
    elif origin is not None:
        is_ours = _is_own(origin, request.headers.get("Host", ""), public_url)
    else:
        is_ours = False
    if not is_ours:
        raise Forbidden(_STALE)


def _is_own(origin: str, host: str, public_url: str) -> bool:
    """By the host that the browser called, or the one that people are told."""
    public = urlsplit(public_url)
    named = urlsplit(origin).netloc.lower()
    return bool(named) and named in {host.lower(), public.netloc.lower()}


def _proof(session: Token, nonce: str) -> str:
    key = session.reveal().encode()
    return hmac.new(key, b"keyturn console form\n" + nonce.encode(), sha256).hexdigest()
