"""Where integrations may connect to, directly and through a proxy."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network

import pytest

from core.dial import LOOPBACK, AddressRules
from core.errors import DestinationRefused
from services.outbound import GuardedDialer
from tests.support.http_double import HttpDouble

HERE = AddressRules(allowed=LOOPBACK)


def resolving(*addresses: str):
    return lambda *_, **__: [(None, None, None, None, (it, 0)) for it in addresses]


@contextmanager
def full(address: str, port: int) -> Iterator[None]:
    """A server that takes no further connection: nothing answers, as where a firewall is."""
    with ExitStack() as opened:
        opened.enter_context(socket.create_server((address, port), backlog=0))
        for _ in range(2):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


@contextmanager
def proxy(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that takes one connection, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(65_536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://ann:p%40ss@127.0.0.1:{server.getsockname()[1]}", asked
        thread.join(10)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ],
)
def test_what_is_this_host_or_a_cloud_s_own_is_refused(address):
    with pytest.raises(DestinationRefused, match="KEYTURN_ALLOWED_NETWORKS"):
        AddressRules().demand(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "10.1.2.3", "2606:2800:220:1::1", "fd12::1"])
def test_everything_else_may_be_called(address):
    AddressRules().demand(address)


def test_what_the_operator_excludes_is_refused_even_if_it_is_allowed_too():
    inner = [ip_network("10.0.0.0/8")]

    with pytest.raises(DestinationRefused, match="excluded"):
        AddressRules(excluded=inner, allowed=inner).demand("10.1.2.3")
    with pytest.raises(DestinationRefused, match="excluded"):
        AddressRules(excluded=inner).demand("::ffff:10.1.2.3")


def test_an_exception_lets_one_address_of_this_host_be_called():
    rules = AddressRules(allowed=[ip_network("127.0.0.1")])

    rules.demand("127.0.0.1")
    with pytest.raises(DestinationRefused):
        rules.demand("127.0.0.2")


def test_a_refused_address_among_several_is_not_passed_over():
    dialer = GuardedDialer(HERE, resolve=resolving("169.254.169.254", "127.0.0.1"))

    with pytest.raises(DestinationRefused):
        dialer.connect("store.example.com", 80, 1)


def test_the_next_address_is_tried_where_one_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        dialer = GuardedDialer(HERE, resolve=resolving("127.0.0.2", "127.0.0.1"))

        with dialer.connect("store.example.com", port, 1) as made:
            assert made.getpeername() == ("127.0.0.1", port)


def test_all_addresses_of_a_name_together_have_the_time_of_one_connection():
    dead = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    with ExitStack() as opened:
        port = opened.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        for address in dead:
            opened.enter_context(full(address, port))
        began = time.monotonic()

        with pytest.raises(TimeoutError):
            GuardedDialer(HERE, resolve=resolving(*dead)).connect("store.example.com", port, 0.6)
        failed = time.monotonic() - began
        with GuardedDialer(HERE, resolve=resolving(dead[0], "127.0.0.1")).connect(
            "store.example.com", port, 0.6
        ) as made:
            patience = made.gettimeout()

    assert 0.5 < failed < 1.5
    assert patience == 0.6


def test_a_session_calls_the_checked_address_by_its_name_and_follows_nothing():
    with HttpDouble() as double:
        double.fault("*", status=302, headers={"Location": "http://169.254.169.254/"})
        host, port = double.url.removeprefix("http://").split(":")
        dialer = GuardedDialer(HERE, resolve=resolving(host))
        with dialer.session() as session:
            answer = session.get(f"http://store.example.com:{port}/x", timeout=5)

        assert answer.status_code == 302
        assert double.requests[0].headers["Host"] == f"store.example.com:{port}"


def test_a_proxy_is_told_the_checked_address():
    with proxy(b"HTTP/1.1 200 OK\r\n\r\nhello") as (url, asked):
        dialer = GuardedDialer(AddressRules(), proxy=url, resolve=resolving("93.184.216.34"))
        with dialer.connect("store.example.com", 443, 5) as made:
            assert made.recv(5) == b"hello"

    assert asked[0].startswith(b"CONNECT 93.184.216.34:443 HTTP/1.")
    assert b"Proxy-Authorization: Basic YW5uOnBAc3M=\r\n" in asked[0]


def test_a_proxy_is_told_no_refused_address():
    dialer = GuardedDialer(
        AddressRules(), proxy="http://127.0.0.1:1", resolve=resolving("127.0.0.1")
    )

    with pytest.raises(DestinationRefused):
        dialer.connect("store.example.com", 443, 5)


def test_a_proxy_that_resolves_is_told_the_name():
    with proxy(b"HTTP/1.1 200 OK\r\n\r\n") as (url, asked):
        dialer = GuardedDialer(AddressRules(), proxy=url, proxy_resolves=True)
        dialer.connect("store.example.com", 443, 5).close()

    assert asked[0].startswith(b"CONNECT store.example.com:443 HTTP/1.")


def test_a_proxy_that_refuses_is_no_connection():
    with proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (url, _):
        dialer = GuardedDialer(AddressRules(), proxy=url, resolve=resolving("93.184.216.34"))

        with pytest.raises(OSError, match="407"):
            dialer.connect("store.example.com", 443, 5)
