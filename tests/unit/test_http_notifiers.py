"""What the channels share that are told by an HTTP POST, shown by the signed webhook."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self
from uuid import UUID

import pytest

from core.dial import LOOPBACK as INNER
from core.dial import AddressRules
from core.errors import DestinationRefused, PlaceRefused, SendFailed, Transient
from core.events import SEVERITY, EventType
from notifiers.base import Notice
from notifiers.webhook import WebhookNotifier
from services.outbound import GuardedDialer
from tests.conformance.webhook_bench import WebhookBench, secret_of
from tests.support.lending import lent
from tests.support.manual_clock import START, ManualClock
from tests.support.ports import LOOPBACK
from tests.support.webhook_double import WebhookDouble

PORTS = lent()
NOTICE = Notice(
    UUID(int=7),
    EventType.TOKEN_EXPIRED,
    SEVERITY[EventType.TOKEN_EXPIRED],
    datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    "acme",
    {"account": "ci"},
    "https://keyturn.example.com",
)


class Scripted:
    """A peer that takes one connection, and says what it was told to, piece by piece."""

    def __init__(self, first: bytes, then: bytes) -> None:
        self._said = first, then
        self._listener = socket.create_server((LOOPBACK, 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self.url = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}/CANARY"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()
        self._thread.join()

    def _talk(self) -> None:
        connection, _ = self._listener.accept()
        first, then = self._said
        with connection:
            try:
                connection.sendall(first)
                while not self._over.wait(0.01):
                    connection.sendall(then)
            except OSError:
                return


@pytest.fixture
def receiver() -> Iterator[WebhookDouble]:
    with WebhookDouble(secret_of("old"), "CANARY") as double:
        yield double


def hook(url: str, **changes: Any) -> WebhookNotifier:
    auth = {"webhook_url": url, "signing_secret": secret_of("old")}
    return WebhookNotifier.model_validate({"auth_data": auth, **changes})


def failed(notifier: WebhookNotifier, **ports: Any) -> SendFailed:
    with pytest.raises(SendFailed) as raised:
        notifier.send(NOTICE, "", lent(**ports))
    assert "CANARY" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"."),
    ],
    ids=["before the status", "in the headers", "in the body"],
)
def test_a_receiver_that_answers_byte_by_byte_is_cut_off_when_time_is_up(first, then):
    began = time.monotonic()

    with Scripted(first, then) as peer:
        error = failed(hook(peer.url, timeout=0.3))

    assert type(error) is Transient
    assert "in time" in str(error)
    assert 0.25 < time.monotonic() - began < 3


def test_a_kept_connection_is_cut_off_just_the_same(receiver):
    notifier = hook(receiver.webhook_url, timeout=0.3)
    notifier.send(NOTICE, "", PORTS)
    receiver.fault("POST *", hang=True)

    error = failed(notifier)

    assert "in time" in str(error)


def test_a_refusal_counts_even_if_its_body_never_ends():
    with Scripted(b"HTTP/1.1 403 No\r\nContent-Length: 9000\r\n\r\n", b".") as peer:
        error = failed(hook(peer.url, timeout=0.3))

    assert type(error) is DestinationRefused


def test_of_a_long_answer_no_more_than_the_beginning_is_read(receiver):
    receiver.fault("POST *", status=200, body=b"x" * 5_000_000)

    hook(receiver.webhook_url).send(NOTICE, "", PORTS)


def test_no_library_writes_the_address_into_a_log(receiver, caplog):
    caplog.set_level(logging.DEBUG)
    broken = {"X-Strange\r\nno header at all\r\nX": "1"}
    receiver.fault("POST *", status=503, headers=broken)
    notifier = hook(receiver.webhook_url, timeout=0.3)

    failed(notifier)
    notifier.send(NOTICE, "", PORTS)

    assert "CANARY" not in caplog.text


def test_what_others_say_through_the_same_library_is_written_as_before(receiver, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3")  # which Keyturn's own log set-up quietens
    hook(receiver.webhook_url).send(NOTICE, "", PORTS)

    PORTS.dialer.session().get(f"{receiver.url}/others", timeout=5)

    assert "GET /others" in caplog.text


def test_a_redirect_is_not_followed(receiver):
    with WebhookDouble(secret_of("old"), "CANARY") as elsewhere:
        for status in (301, 302, 303, 307, 308):
            receiver.fault("POST *", status=status, headers={"Location": elsewhere.webhook_url})

            error = failed(hook(receiver.webhook_url))

            assert type(error) is DestinationRefused
            assert "redirects" in str(error)
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, PlaceRefused),
        (409, PlaceRefused),
        (413, PlaceRefused),
        (422, PlaceRefused),
        (401, DestinationRefused),
        (403, DestinationRefused),
        (404, DestinationRefused),
        (405, DestinationRefused),
        (410, DestinationRefused),
        (408, Transient),
        (425, Transient),
        (429, Transient),
        (500, Transient),
        (502, Transient),
        (503, Transient),
    ],
)
def test_each_status_means_what_it_says(receiver, status, error):
    receiver.fault("POST *", status=status)

    found = failed(hook(receiver.webhook_url))

    assert type(found) is error
    assert str(status) in str(found)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("30", timedelta(seconds=30)),
        ("999999999999999999", timedelta(hours=1)),
        (format_datetime(START + timedelta(minutes=2)), timedelta(minutes=2)),
        (format_datetime(START + timedelta(days=2)), timedelta(hours=1)),
        (format_datetime(START - timedelta(minutes=2)), timedelta()),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_that_is_asked_for_is_kept_within_reason(receiver, status, asked, waits):
    receiver.fault("POST *", status=status, headers={"Retry-After": asked})

    error = failed(hook(receiver.webhook_url), clock=ManualClock())

    assert isinstance(error, Transient)
    assert (error.retry_after, error.throttled) == (waits, status == 429)


def test_one_send_is_one_attempt_however_the_connection_ends(receiver):
    receiver.fault("POST *", drop=True)

    failed(hook(receiver.webhook_url))

    assert len(receiver.requests) == 1


def test_a_connection_is_kept_from_send_to_send_until_it_is_closed():
    with WebhookBench() as bench:
        notifier = bench.notifier()
        dialled: list[str] = []

        class Counting(GuardedDialer):
            def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
                dialled.append(host)
                return super().connect(host, port, timeout)

        ports = lent(network=Counting(AddressRules(allowed=INNER)))
        for _ in range(3):
            notifier.send(NOTICE, "", ports)
        kept = len(dialled)
        notifier.close()
        notifier.close()
        notifier.send(NOTICE, "", ports)
        notifier.close()

    assert (kept, len(dialled)) == (1, 2)


def test_sends_at_the_same_time_do_not_cut_each_other_off(receiver):
    notifier = hook(receiver.webhook_url, timeout=0.3)
    hanging = receiver.fault("POST *", hang=True)
    errors: list[SendFailed] = []
    first = threading.Thread(target=lambda: errors.append(failed(notifier)))
    first.start()
    assert hanging.arrived.wait(10)

    notifier.send(NOTICE, "", PORTS)
    first.join(10)

    assert len(receiver.received) == 1
    assert [type(error) for error in errors] == [Transient]


def test_an_address_that_may_not_be_called_is_refused(receiver):
    nowhere = GuardedDialer(AddressRules())

    error = failed(hook(receiver.webhook_url), network=nowhere)
    with pytest.raises(DestinationRefused, match="own host"):
        hook(receiver.webhook_url).check(lent(network=nowhere))

    assert type(error) is DestinationRefused
    assert receiver.requests == []


def test_a_target_names_nobody_where_there_is_nobody_to_choose(receiver):
    with pytest.raises(PlaceRefused, match="`to`"):
        hook(receiver.webhook_url).send(NOTICE, "ann@example.com", PORTS)

    assert receiver.requests == []


def test_a_check_connects_and_posts_nothing(receiver):
    found = hook(receiver.webhook_url).check(PORTS)

    assert found.startswith(f"{LOOPBACK} answers")
    assert receiver.requests == []


def test_a_check_ends_in_time_where_nobody_encrypts():
    with Scripted(b"", b"\x16") as peer:
        secure = peer.url.replace("http://", "https://")

        with pytest.raises(Transient):
            hook(secure, timeout=0.3).check(PORTS)
