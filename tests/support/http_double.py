"""The ground under every HTTP double: a loopback server that can be told to misbehave."""

import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.message import Message
from fnmatch import fnmatchcase
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client sent: the path is unquoted and bare, headers are read in any case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """What goes back: the status, the bytes and the headers, nothing added but the length."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Any, status: int = 200, content_type: str = "text/plain") -> Self:
        """Text and bytes go as they are; anything else goes as JSON, typed without a charset."""
        if isinstance(body, str | bytes):
            raw = body.encode() if isinstance(body, str) else body
            return cls(status, raw, {"Content-Type": content_type})
        return cls(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


Match = str | Callable[[Request], bool]


@dataclass(eq=False)
class Fault:
    """One ordered misbehaviour; `arrived` is set as soon as a request has met it."""

    match: Match
    times: int | None = 1
    answer: Callable[[Request], Answer] | None = None
    delay: float | None = None
    drop: bool = False
    lose_answer: bool = False
    hang: bool = False
    arrived: threading.Event = field(default_factory=threading.Event)


def matches(match: Match, request: Request) -> bool:
    """A predicate is asked; 'POST /v1/secret/*' is compared with the verb and the bare path."""
    if callable(match):
        return match(request)
    return fnmatchcase(f"{request.method} {request.path}", match)


class Misbehaving:
    """A request log and ordered faults, for any double; every method is safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._applying = threading.Lock()
        self._stopping = threading.Event()
        self._gate = threading.Event()
        self._requests: list[Request] = []
        self._ordered: list[Fault] = []

    @property
    def requests(self) -> list[Request]:
        """Every request that arrived, spoilt ones too, in order."""
        with self._lock:
            return list(self._requests)

    def seen(self, match: Match) -> list[Request]:
        """The arrived requests that match a fault's kind of pattern."""
        return [request for request in self.requests if matches(match, request)]

    def order(self, fault: Fault) -> Fault:
        """Faults are met in the order they were given; `times=None` lasts until `clear`."""
        with self._lock:
            self._ordered.append(fault)
        return fault

    def clear(self) -> None:
        """Nothing misbehaves any more and the log is empty; hanging requests go on."""
        with self._lock:
            self._ordered.clear()
            self._requests.clear()
        self.release()

    def release(self) -> None:
        """Let go of every request that hangs now: each is then handled as usual."""
        with self._lock:
            gate, self._gate = self._gate, threading.Event()
        gate.set()

    def serve(self, request: Request, apply: Callable[[Request], Answer]) -> Answer | None:
        """Log and answer, one request applied at a time; None asks for a reset connection."""
        fault, gate = self._meet(request)
        if fault.hang and not self._stopping.is_set():
            gate.wait()
        if fault.delay:
            self._stopping.wait(fault.delay)
        if fault.drop or self._stopping.is_set():
            return None
        with self._applying:
            answer = (fault.answer or apply)(request)
        return None if fault.lose_answer else answer

    def _meet(self, request: Request) -> tuple[Fault, threading.Event]:
        with self._lock:
            self._requests.append(request)
            fault = next((it for it in self._ordered if matches(it.match, request)), Fault(""))
            if fault.times is not None:
                fault.times -= 1
            self._ordered = [it for it in self._ordered if it.times != 0]
            fault.arrived.set()
            return fault, self._gate

    def _cut_off(self) -> None:
        """Waiting requests end without having been applied, those of a moment later too."""
        self._stopping.set()
        self.release()


class HttpDouble(Misbehaving):
    """A service on a free loopback port; a subclass says what it answers.

    Left, no socket or thread of it remains; started again it has its port and state, as after an
    outage. Requests are applied one at a time; a waiting one (delay, hang) holds up nobody.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.port = 0
        self.tls = tls
        self._server: _Server | None = None

    def answer(self, request: Request) -> Answer:
        """Apply one request and say what it got."""
        raise NotImplementedError

    def refusal(self, status: int) -> Answer:
        """The body this service sends with a bare error status."""
        return Answer.of(f"{status}", status)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def fault(
        self,
        match: Match,
        *,
        times: int | None = 1,
        status: int | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        delay: float | None = None,
        drop: bool = False,
        lose_answer: bool = False,
        hang: bool = False,
    ) -> Fault:
        """Spoil the next matching requests.

        `status`, `body`: answered so without being applied (a status alone has the service's own
        body); `delay`: seconds before it is handled; `drop`: reset before it is applied;
        `lose_answer`: applied, then reset; `hang`: neither, until `release()` or the end.
        """

        def answer(_: Request) -> Answer:
            made = self.refusal(status or 500) if body is None else Answer.of(body, status or 200)
            return replace(made, headers={**made.headers, **(headers or {})})

        spoilt = None if status is None and body is None else answer
        return self.order(Fault(match, times, spoilt, delay, drop, lose_answer, hang))

    def start(self) -> None:
        self._stopping.clear()
        self._server = _Server(self)
        self.port = self._server.server_address[1]
        self._server.accepting.start()

    def stop(self) -> None:
        """A second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            self._cut_off()
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, double: HttpDouble) -> None:
        self.double = double
        self._open: dict[threading.Thread, socket.socket] = {}
        self.accepting = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        super().__init__(("127.0.0.1", double.port), _Handler)

    def stop(self) -> None:
        self.shutdown()
        self.accepting.join()
        self.server_close()
        for thread, connection in list(self._open.items()):
            with suppress(OSError):  # beneath TLS, whose state belongs to the other thread
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            thread.join(timeout=10)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if (tls := self.double.tls) is not None:  # the handshake waits for the thread
            connection = tls.wrap_socket(connection, True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        work = partial(self.process_request_thread, request, client_address)
        thread = threading.Thread(target=work, daemon=True)
        self._open[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except ConnectionAbortedError:  # as asked for below; no lingering makes it a reset
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_request(request)
        except OSError:
            pass  # the client went away, or does not trust the certificate
        finally:
            self.shutdown_request(request)
            del self._open[threading.current_thread()]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # whole answers: else each header is a packet and each answer takes 40 ms

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve  # any verb: Vault has LIST
        raise AttributeError(name)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        request = Request(self.command, unquote(target.path), query, self.headers, body)
        answer = self.server.double.serve(request, self.server.double.answer)
        if answer is None:
            raise ConnectionAbortedError
        bodiless = answer.status in {204, 304}
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not bodiless:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if not bodiless and self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Silent: the double keeps its own log."""
