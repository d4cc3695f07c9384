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

from core.dial import LOOPBACK as INNER
from core.dial import AddressRules
from core.errors import DestinationRefused
from notifiers.wire import CaBundle, Deadline, https_url, quoted, trusting
from services.outbound import GuardedDialer
from tests.support.lending import NETWORK
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

    with Deadline(NETWORK, 0.2) as deadline, deadline.connect(dripping.address) as connection:
        while connection.recv(1):
            pass

    assert 0.15 < time.monotonic() - began < 2


def test_one_wait_is_shorter_than_all_of_them():
    with (
        socket.create_server((LOOPBACK, 0)) as silent,
        Deadline(NETWORK, 30, each=0.05) as deadline,
        deadline.connect(silent.getsockname()) as connection,
        pytest.raises(TimeoutError),
    ):
        connection.recv(1)


def test_a_connection_that_came_about_after_the_end_is_not_kept():
    with socket.create_server((LOOPBACK, 0)) as server:
        deadline = Deadline(NETWORK, 30)
        deadline._cut()

        with pytest.raises(TimeoutError):
            deadline.connect(server.getsockname())


def test_nothing_is_dialled_when_time_is_up():
    with Deadline(NETWORK, 0) as deadline, pytest.raises(TimeoutError):
        deadline.connect((LOOPBACK, 9))


def test_a_connection_goes_where_the_dialer_lets_it():
    resolved = {"mail.example.com": LOOPBACK, "cloud.example.com": "169.254.169.254"}
    rules = AddressRules(allowed=INNER)
    dialer = GuardedDialer(rules, resolve=lambda name, *_, **__: [(None, (resolved[name], 0))])
    with socket.create_server((LOOPBACK, 0)) as server, Deadline(dialer, 5) as deadline:
        port = server.getsockname()[1]

        with deadline.connect(("mail.example.com", port)) as connection:
            reached = connection.getpeername()
        with pytest.raises(DestinationRefused, match="link-local"):
            deadline.connect(("cloud.example.com", port))

        assert reached == server.getsockname()


def test_a_host_that_nobody_answers_on_is_an_error():
    with Deadline(NETWORK, 5) as deadline, pytest.raises(ConnectionRefusedError):
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
