"""Around every request: an id, its client's address, a line in the log, and always an answer."""

import re
from collections.abc import Sequence
from secrets import token_hex
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from core.addresses import Network, client_of, is_trusted
from core.tokens import without_tokens
from services.runtime import Runtime

log = structlog.get_logger("api.request")

_HEADER = "X-Request-Id"
_ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BROKEN = "Keyturn could not answer; the log has the reason under this request's id."
_QUIET = ("/healthz", "/readyz", "/api/v1/verify", "/api/v1/introspect", "/api/v1/forward-auth")


class RequestIds:
    """Plain ASGI middleware, around all others.

    The id is the caller's or made here, and comes back with the answer, which nobody may keep
    (`Cache-Control: no-store`). What should not happen is logged and answered with 500.
    Behind a proxy that is trusted, the client is whom the proxy names.
    """

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self._app = app
        self._proxies = runtime.settings.trusted_proxies
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope).get(_HEADER, ""))
        scope.setdefault("state", {})["request_id"] = request_id
        scope["state"]["through_proxy"] = name_client(scope, self._proxies)
        answered: dict[str, Any] = {}
        began = self._runtime.clock.elapsed()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[_HEADER] = request_id
                headers.setdefault("Cache-Control", "no-store")
                answered["status"] = message["status"]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception as error:
                log.exception("broken", path=scope["path"], error=type(error).__name__)
                if "status" in answered:
                    raise
                await JSONResponse(errors.body(500, _BROKEN, "error"), 500)(scope, receive, answer)
            if (route := scope.get("route")) is not None:
                took = self._runtime.clock.elapsed() - began
                status = answered.get("status", 0)
                self._runtime.metrics.answered(scope["method"], route.path, status, took)
            if not scope["path"].startswith(_QUIET):
                log.info(
                    "answered",
                    method=scope["method"],
                    path=scope["path"],
                    status=answered.get("status"),
                )


def request_id_of(given: str) -> str:
    """The caller's own id of the request, if it is fit for the log; else a new one."""
    is_fit = _ALLOWED.fullmatch(given) and given == without_tokens(given)
    return given if is_fit else token_hex(16)


def name_client(scope: Scope, proxies: Sequence[Network]) -> bool:
    """Makes the scope's client whom a trusted proxy names; answers whether one did."""
    peer, port = scope.get("client") or (None, 0)
    if not is_trusted(peer, proxies):
        return False
    forwarded = ",".join(Headers(scope=scope).getlist("X-Forwarded-For"))
    scope["client"] = (client_of(peer, forwarded, proxies), port)
    return True
