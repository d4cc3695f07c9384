"""Whatever happens, a person gets a page: what nobody expected is logged under the request's id."""

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.refusals import refusal
from core.errors import KeyturnError

log = structlog.get_logger(__name__)

_BROKEN = "Keyturn could not answer; the log has the reason under this request's id."


class Unbroken:
    """Plain ASGI middleware, around the pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            log.exception("broken", path=scope["path"], error=type(error).__name__)
            if begun:
                raise
            await refusal(Request(scope, receive), KeyturnError(_BROKEN))(scope, receive, send)
