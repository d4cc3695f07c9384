"""An ASGI application behind a real uvicorn on loopback, in a thread of the test's process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from api.serving import configured
from tests.support.ports import LOOPBACK
from tests.support.waiting import eventually


class Stage:
    """An application that plays another one, which may be changed between requests."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        self.under_way += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.under_way -= 1

    @contextmanager
    def playing(self, app: ASGIApp) -> Iterator[None]:
        """Plays this application; at the end, once the last request is over."""
        self.app = app
        yield
        eventually(lambda: self.under_way == 0)


@contextmanager
def serving(app: ASGIApp, *, lifespan: Literal["on", "off"] = "off") -> Iterator[str]:
    """The address at which the application answers; requests under way are finished at the end."""
    server = uvicorn.Server(configured(app, lifespan=lifespan))
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # as `keyturn api` does
        listener.bind((LOOPBACK, 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            eventually(lambda: server.started)
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
