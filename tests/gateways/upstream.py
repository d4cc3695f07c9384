"""What stands behind the gateways: an API as OpenAI's, Anthropic's, MCP's and the reference's."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

WORDS = ["one", "two", "three"]
_THOUGHT = 0.01  # seconds


class Upstream:
    """Answers everybody, and remembers with which headers they came.

    A stream sends its first word soon and the others when `go_on` is set. It thinks before it
    answers, as a model does: Go's proxies cut off an answer that begins while they are still
    closing the request.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, Headers]] = []
        self.go_on = threading.Event()
        self._distraction = threading.Event()  # never comes
        self.clear()
        self._app = _tools()
        self._app.router.routes.extend(
            [
                Route("/v1/chat/completions", self._openai, methods=["POST"]),
                Route("/v1/messages", self._anthropic, methods=["POST"]),
                Route("/api/svc/v1/virtual-accounts", self._reference),
                Route("/{path:path}", self._anything, methods=["GET", "POST", "PUT", "DELETE"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.seen.append((scope["path"], Headers(scope=scope)))

        async def thoughtful(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.to_thread(self._distraction.wait, _THOUGHT)
            await send(message)

        await self._app(scope, receive, thoughtful)

    def clear(self) -> None:
        self.seen.clear()
        self.go_on.set()

    async def _openai(self, request: Request) -> Response:
        asked = await request.json()
        if asked.get("stream"):
            return StreamingResponse(self._openai_chunks(), media_type="text/event-stream")
        message = {"role": "assistant", "content": asked["messages"][0]["content"]}
        return JSONResponse(_completion("chat.completion", {"message": message}))

    async def _openai_chunks(self) -> AsyncIterator[str]:
        async for word in self._spoken():
            chunk = _completion("chat.completion.chunk", {"delta": {"content": word}})
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"

    async def _anthropic(self, request: Request) -> Response:
        asked = await request.json()
        if asked.get("stream"):
            return StreamingResponse(self._anthropic_events(), media_type="text/event-stream")
        said = [{"type": "text", "text": asked["messages"][0]["content"]}]
        return JSONResponse(_message(said))

    async def _anthropic_events(self) -> AsyncIterator[str]:
        yield _event("message_start", message=_message([]))
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        async for word in self._spoken():
            delta = {"type": "text_delta", "text": word}
            yield _event("content_block_delta", index=0, delta=delta)
        yield _event("content_block_stop", index=0)
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        yield _event("message_delta", delta=end, usage={"output_tokens": 3})
        yield _event("message_stop")

    async def _spoken(self) -> AsyncIterator[str]:
        for number, word in enumerate(WORDS):
            if number:
                await asyncio.to_thread(self.go_on.wait, 10)
            yield word

    async def _reference(self, _request: Request) -> Response:
        page = {"total": 0, "offset": 0, "limit": 100}
        return JSONResponse({"data": [], "pagination": page})

    async def _anything(self, request: Request) -> Response:
        body = await request.body()
        return JSONResponse({"method": request.method, "size": len(body)})


def _tools() -> Starlette:
    server = MCPServer("tools")

    @server.tool()
    def add(a: int, b: int) -> int:
        """The sum."""
        return a + b

    return server.streamable_http_app()


def _completion(kind: str, said: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop" if "message" in said else None, **said}
    return {"id": "chat-1", "object": kind, "created": 1, "model": "m", "choices": [choice]}


def _message(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "msg-1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _event(kind: str, **said: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **said})}\n\n"
