"""How the application is served: by uvicorn over httptools and uvloop, with heads bounded."""

import gc
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 65_536  # bytes beyond those of the first packet


class BoundedHeads(HttpToolsProtocol):
    """Refuses a request whose head does not end: the parser beneath would keep all of it."""

    _in_head = False
    _head = 0

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head += len(data)
            if self._head > LONGEST_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of this request is too long.")

    def on_message_begin(self) -> None:
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()


def settle() -> None:
    """What was made until now stays to the end: the collector looks at it no more.

    Going through all of it takes some 0.2 s, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()


def configured(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """The one way to serve it; `more` are settings of uvicorn's."""
    return uvicorn.Config(
        app,
        http=BoundedHeads,
        ws="none",  # what a gateway asks about a WebSocket is an ordinary call
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whom to believe is a setting of ours
        **more,
    )
