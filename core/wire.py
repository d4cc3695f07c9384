"""What a connection to the outside keeps to: a deadline, whom it trusts, where it may lead."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from core.dial import Dialer
from core.plugins import PEM

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Deadline:
    """At most `seconds` for all that happens inside, on the connections made through it.

    A socket's timeout bounds one wait only: a peer that says a byte now and then would never
    let go. Here every connection is shut down when time is up, and who waits on one hears the
    end of it. `each` bounds one wait.
    """

    def __init__(self, dialer: Dialer, seconds: float, *, each: float | None = None) -> None:
        self._dialer = dialer
        self._ends = time.monotonic() + seconds
        self._each = seconds if each is None else each
        self._watched: list[socket.socket] = []
        self._is_over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._watched:
                connection.close()
            self._watched.clear()

    def connect(self, address: tuple[str, int], *_: Any) -> socket.socket:
        """Connects as the dialer does: DestinationRefused, or OSError if nobody answers in time.

        Stands in for `socket.create_connection`, whose further arguments it needs not.
        """
        left = min(self._each, self._ends - time.monotonic())
        if left <= 0:
            raise TimeoutError("timed out")
        connection = self._dialer.connect(*address, left)
        connection.settimeout(self._each)
        self._watch(connection)
        return connection

    def _watch(self, connection: socket.socket) -> None:
        # A descriptor of its own: TLS takes over the connection's, and shuts nothing down.
        with self._lock:
            if not self._is_over:
                self._watched.append(connection.dup())
                return
        connection.close()
        raise TimeoutError("timed out")

    def _cut(self) -> None:
        with self._lock:
            self._is_over = True
            for connection in self._watched:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


@lru_cache(maxsize=64)
def trusting(ca_bundle: str) -> ssl.SSLContext:
    """TLS that checks name and certificate, against `ca_bundle` or else the system's own."""
    return ssl.create_default_context(cadata=ca_bundle or None)


def _certificates(pem: str) -> str:
    if "PRIVATE KEY" in pem:
        raise ValueError("give certificates only: this holds a private key")
    if pem:
        try:
            ssl.create_default_context(cadata=pem)
        except (ssl.SSLError, ValueError):
            raise ValueError("give certificates as PEM text") from None
    return pem


CaBundle = Annotated[
    str, Field(max_length=200_000, json_schema_extra=PEM), AfterValidator(_certificates)
]


def https_url(url: str) -> str:
    """`url`, if it is https, or http to this host itself; ValueError does not quote it."""
    allowed = "give an https:// URL (http:// only to a loopback address)"
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(allowed)
    try:
        parts = urlsplit(url)
        host, named_port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(allowed) from None
    if not host or named_port == 0 or "@" in parts.netloc:
        raise ValueError(allowed)
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise ValueError(allowed)
    return url
