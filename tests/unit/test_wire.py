"""What a notifier's connections keep to."""

import base64
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Self

import pytest
import trustme
from pydantic import TypeAdapter, ValidationError

from notifiers.wire import CaBundle, Deadline, https_url, quoted, trusting
from tests.support.ports import LOOPBACK, free_port


class Dripping:
    """A peer that takes one connection and says a byte every 10 ms, for some 5 s."""

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self.address = self._listener.getsockname()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()
        self._thread.join()

    def _drip(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            for _ in range(500):
                try:
                    connection.sendall(b".")
                except OSError:
                    return
                if self._over.wait(0.01):
                    return


@pytest.fixture
def dripping() -> Iterator[Dripping]:
    with Dripping() as peer:
        yield peer


def test_a_peer_that_keeps_talking_is_cut_off_when_time_is_up(dripping):
    began = time.monotonic()

    with Deadline(0.2) as deadline, deadline.connect(dripping.address) as connection:
        while connection.recv(1):
            pass

    assert 0.15 < time.monotonic() - began < 2


def test_one_wait_is_shorter_than_all_of_them():
    with (
        socket.create_server((LOOPBACK, 0)) as silent,
        Deadline(30, each=0.05) as deadline,
        deadline.connect(silent.getsockname()) as connection,
        pytest.raises(TimeoutError),
    ):
        connection.recv(1)


def test_nothing_is_dialled_when_time_is_up():
    with Deadline(0) as deadline, pytest.raises(TimeoutError):
        deadline.connect((LOOPBACK, 9))


def test_the_next_address_of_a_host_is_tried(monkeypatch):
    nobody = free_port()
    with socket.create_server((LOOPBACK, 0)) as server:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (LOOPBACK, nobody)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", server.getsockname()),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        with Deadline(5) as deadline, deadline.connect(("mail.example.com", 25)) as connection:
            reached = connection.getpeername()

        assert reached == server.getsockname()


def test_a_host_that_nobody_answers_on_is_an_error():
    with Deadline(5) as deadline, pytest.raises(ConnectionRefusedError):
        deadline.connect((LOOPBACK, free_port()))


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/T1/B1/x",
        "https://proxy.example.com:8443/slack",
        "http://127.0.0.1:8080/x",
        "http://localhost/x",
        "http://[::1]:80/x",
    ],
)
def test_a_url_is_https_or_goes_to_this_host(url):
    assert https_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.slack.com/services",
        "http://hooks.slack.com/services/T1/B1/SECRET",
        "http://127.0.0.1.example.com/SECRET",
        "ftp://127.0.0.1/SECRET",
        "file:///etc/SECRET",
        "https:///SECRET",
        "https://user:SECRET@example.com/",
        "https://example.com:port/SECRET",
        "https://[::1/SECRET",
        "https://example.com/SECRET\r\nHost: x",
        "https://exämple.com/SECRET",
    ],
)
def test_any_other_url_is_refused_without_being_quoted(url):
    with pytest.raises(ValueError, match="give an https:// URL") as raised:
        https_url(url)

    assert "SECRET" not in str(raised.value)


def test_certificates_are_taken_as_pem_text_only():
    bundle = TypeAdapter(CaBundle)
    authority = trustme.CA()
    pem = authority.cert_pem.bytes().decode()

    assert bundle.validate_python(pem) == pem
    assert bundle.validate_python("") == ""
    for wrong in ("/etc/ssl/ca.pem", pem[:-60], authority.private_key_pem.bytes().decode()):
        with pytest.raises(ValidationError):
            bundle.validate_python(wrong)


def test_what_the_other_side_says_is_quoted_in_one_short_line_without_secrets():
    secret = "hunter-2"
    coded = base64.b64encode(secret.encode()).decode()

    said = quoted(f"no \r\n {secret} or {coded} \xff".encode("latin-1") + b"x" * 900, [secret])

    assert said.startswith("no *** or ***")
    assert len(said) == 200
    assert said.isprintable()


def test_trust_is_in_the_named_authorities_only():
    context = trusting(trustme.CA().cert_pem.bytes().decode())

    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
