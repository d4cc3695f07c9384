"""A plain HTTP store: one PUT a copy over a connection that each thread keeps."""

import http.client
import threading
from typing import Any, ClassVar

from pydantic import PrivateAttr

from core.errors import Transient
from core.plugins import Pace, Ports
from sinks.base import Copy, Held, Removal, Sink


class PlainHttpSink(Sink):
    kind: ClassVar[str] = "custom/plain-http"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "A plain HTTP store"

    port: int

    _kept: Any = PrivateAttr(default_factory=threading.local)

    @property
    def pace(self) -> Pace:
        return Pace(concurrency=16, send_limit=10.0)

    def check(self, ports: Ports) -> str:
        return "not tried"

    def put(self, copy: Copy, ports: Ports) -> Held:
        connection = getattr(self._kept, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            self._kept.connection = connection
        try:
            connection.request("PUT", f"/{copy.path}", copy.token.get_secret_value())
            connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Transient(type(error).__name__) from None
        return Held(mark=copy.mark)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        return None

    def remove(self, removal: Removal, ports: Ports) -> None: ...
