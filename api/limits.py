"""How large the body of a call may be."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from core.errors import TooLarge
from services.runtime import Runtime

_LINGER = 2.0  # seconds for a client to notice that it has been answered


class BodyLimit:
    """Plain ASGI middleware: a longer body is not kept, and answered with 413.

    The length that was announced decides where there is one, else what has come so far. The
    connection is closed after the answer, but not before a client that sends first and reads
    later could read it.
    """

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self._app = app
        self._most = runtime.settings.max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("Content-Length", "")
        if announced.isdecimal() and int(announced) > self._most:
            waits = headers.get("Expect", "").lower() == "100-continue"
            await _refuse(scope, receive, send, linger=not waits)
            return
        call = _Call(receive, send, self._most)
        try:
            await self._app(scope, call.receive, call.send)
        except HTTPException:
            if not call.is_refused:
                raise
        if call.is_refused and not call.is_answered:
            await _refuse(scope, receive, send, linger=call.has_more)


class _Call:
    """One call whose body is counted while it comes in."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send = receive, send
        self._left = most
        self.is_refused = self.is_answered = self.has_more = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self.has_more = message.get("more_body", False)
            if self._left < 0:
                self.is_refused = True
                # The one exception that FastAPI lets through while it reads a body.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    async def send(self, message: Message) -> None:
        """Passes on the application's answer, unless that is only about the missing body."""
        if not self.is_refused or self.is_answered:
            self.is_answered = True
            await self._send(message)


async def _refuse(scope: Scope, receive: Receive, send: Send, *, linger: bool) -> None:
    error = TooLarge()
    answer = JSONResponse(errors.body_of(error), errors.status_of(error), {"Connection": "close"})

    async def with_rest(message: Message) -> None:
        """Before the answer's end, which closes the connection, what still comes is read away."""
        if linger and message["type"] == "http.response.body":
            await send({**message, "more_body": True})
            await _read_away(receive)
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    await answer(scope, receive, with_rest)


async def _read_away(receive: Receive) -> None:
    try:
        async with asyncio.timeout(_LINGER):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return
