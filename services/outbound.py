"""Connections to the outside, each to an address that was checked when it was made.

A name is resolved once per connection and the connection goes to what was found, so that a
name which changes its mind between check and use gains nothing. TLS and Host keep the name.
"""

import http.client
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from core.dial import AddressRules

Resolve = Callable[..., list[tuple[Any, ...]]]


class GuardedDialer:
    """Connects to where the rules allow.

    With a proxy, the proxy is told to connect to the checked address; if `proxy_resolves`, it
    is told the name and is trusted to refuse what is not to be called.
    """

    def __init__(
        self,
        rules: AddressRules,
        *,
        proxy: str | None = None,
        proxy_resolves: bool = False,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._rules = rules
        self._proxy = urlsplit(proxy) if proxy else None
        self._proxy_resolves = proxy_resolves
        self._resolve = resolve
        self._pools = _pools(self)

    def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        host = host.strip("[]")
        if self._proxy is not None and self._proxy_resolves:
            return self._through_proxy(host, port, timeout)
        failure: OSError = OSError("the name has no address")
        found = self._resolve(host, port, type=socket.SOCK_STREAM)
        ends = None if timeout is None else time.monotonic() + timeout
        for tried, (*_, (address, *_)) in enumerate(found):
            self._rules.demand(address)
            share = None if ends is None else (ends - time.monotonic()) / (len(found) - tried)
            if share is not None and share <= 0:
                raise TimeoutError("timed out")
            try:
                made = self._to(address, port, share)
            except OSError as error:
                failure = error
            else:
                made.settimeout(timeout)
                return made
        raise failure

    def _to(self, address: str, port: int, timeout: float | None) -> socket.socket:
        if self._proxy is not None:
            return self._through_proxy(address, port, timeout)
        return socket.create_connection((address, port), timeout)

    def pools(self) -> dict[str, Any]:
        return self._pools

    def session(self) -> requests.Session:
        session = _Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(self._pools))
        return session

    def _through_proxy(self, host: str, port: int, timeout: float | None) -> socket.socket:
        assert self._proxy is not None
        assert self._proxy.hostname
        tunnel = http.client.HTTPConnection(
            self._proxy.hostname, self._proxy.port or 3128, timeout=timeout
        )
        tunnel.response_class = _Unbuffered
        headers = {}
        if self._proxy.username:
            login = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        tunnel.set_tunnel(host, port, headers)
        tunnel.connect()
        assert tunnel.sock is not None
        return tunnel.sock


class _Unbuffered(http.client.HTTPResponse):
    """A proxy's answer, of which no byte more is read: what follows is the store's."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = sock.makefile("rb", buffering=0)  # type: ignore[assignment] # raw, on purpose


class _Session(requests.Session):
    def resolve_redirects(self, *_: Any, **__: Any) -> Any:
        """None is followed: credentials would go along to anybody."""
        return iter(())


class _Adapter(HTTPAdapter):
    def __init__(self, pools: dict[str, Any]) -> None:
        self._guarded = pools
        super().__init__(pool_connections=4, pool_maxsize=16)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._guarded


def _pools(dialer: GuardedDialer) -> dict[str, Any]:
    """urllib3's pools, whose connections are made by this dialer."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(dialer, self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(dialer, self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connected(dialer: GuardedDialer, connection: HTTPConnection) -> socket.socket:
    """As urllib3 connects, but to a checked address; its errors are urllib3's."""
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    try:
        made = dialer.connect(connection.host, connection.port, timeout)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "The connection timed out.") from error
    except OSError as error:
        raise NewConnectionError(connection, f"No connection: {error}") from error
    for option in connection.socket_options or ():
        made.setsockopt(*option)
    return made
