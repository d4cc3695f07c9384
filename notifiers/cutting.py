"""Requests that are over in time, and of which no library writes a log line.

A timeout bounds one wait only: a peer that says a byte now and then would never let go. Here the
connections that a thread uses are shut down when its time is up.
"""

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

_mine = threading.local()


class Cut:
    """At most `seconds` for all that this thread says and hears inside.

    What is still open then is shut down, and who waits on it hears the end of it.
    """

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._watched: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        _mine.cut = self
        self._timer.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        _mine.cut = None
        self._timer.cancel()
        with self._lock:
            for connection in self._watched:
                connection.close()
            self._watched.clear()

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._ends

    def watch(self, connection: socket.socket) -> None:
        """Shuts this connection down, too, when the time is up; at once if it is up already."""
        # A descriptor of its own: TLS takes over the connection's, and shuts nothing down.
        own = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._watched.append(own)
        if self.is_over:
            self._shut_down()

    def _shut_down(self) -> None:
        with self._lock:
            for connection in self._watched:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def let_be_cut(session: Any) -> None:
    """From now on a Cut holds for everything that goes through this requests session."""
    for adapter in session.adapters.values():
        manager = adapter.poolmanager
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: _watched(pools[scheme]) for scheme in pools}


def _watched(pool: Any) -> Any:
    """This pool's class, whose new and kept connections are shown to the thread's Cut."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc] # the dialer's, known at run time
        def _new_conn(self) -> socket.socket:
            made: socket.socket = super()._new_conn()
            _show(made)
            return made

    class Pool(pool):  # type: ignore[misc] # as above
        ConnectionCls = Connection

        def _get_conn(self, timeout: float | None = None) -> Any:
            found = super()._get_conn(timeout)
            if found.sock is not None:
                _show(found.sock)
            return found

    return Pool


def _show(connection: socket.socket) -> None:
    cut: Cut | None = getattr(_mine, "cut", None)
    if cut is not None:
        cut.watch(connection)


class _Discreet(logging.Filter):
    """urllib3 writes addresses into its lines, and a webhook's address is a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(_mine, "cut", None) is None


for _part in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_part}").addFilter(_Discreet())
