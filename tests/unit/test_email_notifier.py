"""E-mail where it differs from other media: TLS, logins, addresses, bytes."""

import base64
import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import pytest
from pydantic import ValidationError

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.events import EventType, Severity
from notifiers.base import Notice
from notifiers.email import EmailNotifier, mailbox
from notifiers.smtp import Conversation, SmtpCredentials
from notifiers.wire import Deadline
from tests.support.lending import NETWORK, lent
from tests.support.mail_double import MailDouble

PORTS = lent()
NOTICE = Notice(
    key=UUID("0195a1b2-0000-7000-8000-00000000cafe"),
    type=EventType.TOKEN_ROTATED,
    severity=Severity.INFO,
    at=datetime(2026, 3, 2, 9, 0, 5, tzinfo=UTC),
    tenant="acme",
    facts={"account": "ci-bot", "generation": 4},
    link="https://keyturn.example.com/accounts/1",
)


def notifier(mail: MailDouble, **auth: Any) -> EmailNotifier:
    return EmailNotifier.model_validate(
        {
            "from_email": "keyturn@example.org",
            "auth_data": {"host": mail.host, "port": mail.port, **auth},
            "ca_bundle": mail.ca_pem,
            "timeout": 5,
        }
    )


def test_the_manifest_of_the_public_sdk_is_enough():
    made = EmailNotifier.model_validate(
        {
            "from_email": "keyturn@example.org",
            "auth_data": {"type": "smtp-credentials", "host": "smtp.example.org"},
        }
    )

    assert (made.auth_data.port, made.auth_data.tls) == (587, True)
    assert made.pace.concurrency == 4
    assert made.pace.send_limit == 35


def test_the_same_notice_is_the_same_message_to_the_byte():
    with MailDouble() as mail:
        one = notifier(mail).message(NOTICE, "ann@example.com").as_bytes()
        other = notifier(mail).message(NOTICE, "ann@example.com").as_bytes()

    assert one == other
    assert one.isascii()
    assert max(len(line) for line in one.split(b"\r\n")) <= 998


def test_the_headers_say_who_when_and_what():
    with MailDouble() as mail:
        message = notifier(mail).message(NOTICE, "ann@example.com")

    assert message["Message-ID"] == "<0195a1b2-0000-7000-8000-00000000cafe@example.org>"
    assert message["Date"].datetime == datetime(2026, 3, 2, 9, 0, 5, tzinfo=UTC)
    assert message["Subject"] == "ci-bot: new token, generation 4"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Keyturn-Event"] == "token.rotated"
    assert message.get_content_type() == "multipart/alternative"


def test_a_long_address_stands_in_the_header_as_it_is():
    recipient = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.example.com"
    with MailDouble() as mail:
        notifier(mail, tls=False).send(NOTICE, recipient, PORTS)

    assert mail.messages[0].recipients == [recipient]
    assert mail.messages[0].message["To"].addresses[0].addr_spec == recipient


def test_with_tls_nothing_is_said_to_a_server_without_it():
    with MailDouble(tls="none") as mail, pytest.raises(DestinationRefused, match="STARTTLS"):
        notifier(mail).send(NOTICE, "ann@example.com", PORTS)

    assert mail.messages == []


def test_without_tls_mail_goes_in_the_clear_but_never_a_password():
    with MailDouble(tls="none", credentials=("keyturn", "pw")) as mail:
        with pytest.raises(DestinationRefused, match="plain connection"):
            notifier(mail, tls=False, username="keyturn", password="pw").send(
                NOTICE, "ann@example.com", PORTS
            )
        mail.stop()
    with MailDouble(tls="none") as mail:
        open_to_all = notifier(mail, tls=False)
        open_to_all.send(NOTICE, "ann@example.com", PORTS)
        found = open_to_all.check(PORTS)

    assert (mail.messages[0].encrypted, mail.messages[0].login) == (False, None)
    assert found.endswith("answers without encryption, no login is set")


def test_port_465_speaks_tls_from_the_start():
    on_465 = SmtpCredentials(host="smtp.example.org", port=465)

    assert on_465.is_implicit
    assert not SmtpCredentials(host="smtp.example.org", port=465, tls=False).is_implicit
    assert not SmtpCredentials(host="smtp.example.org").is_implicit


def test_implicit_tls_encrypts_before_the_first_word():
    with MailDouble(tls="implicit") as mail, Deadline(NETWORK, 5) as deadline:
        client = Conversation(
            SmtpCredentials(host=mail.host, port=mail.port),
            deadline,
            introduced_as="example.org",
            trust=ssl.create_default_context(cadata=mail.ca_pem),
        )
        greeted, tls = client.ehlo()[0], client.tls
        client.close()

    assert (greeted, tls) == (250, "TLSv1.3")


def test_tls_where_nobody_speaks_it_is_for_a_human_to_correct():
    with MailDouble(tls="none") as mail:
        made = notifier(mail)
        on_465 = made.model_copy(update={"auth_data": _Implicit(host=mail.host, port=mail.port)})

        with pytest.raises(DestinationRefused, match="TLS is not possible"):
            on_465.check(PORTS)


class _Implicit(SmtpCredentials):
    @property
    def is_implicit(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("550 5.1.1 No such user", PlaceRefused),
        ("553 5.1.3 Bad address", PlaceRefused),
        ("450 4.2.1 Mailbox busy", Transient),
        ("530 5.7.0 Authentication required", DestinationRefused),
    ],
)
def test_a_refused_recipient_concerns_that_one_unless_a_login_is_missing(reply, error):
    with MailDouble() as mail:
        mail.bounce("ann@example.com", reply)

        with pytest.raises(error, match=f"ann@example.com was refused: {reply[:9]}") as raised:
            notifier(mail, tls=False).send(NOTICE, "ann@example.com", PORTS)
        notifier(mail, tls=False).send(NOTICE, "bob@example.com", PORTS)

    assert raised.type is error
    assert [received.recipients for received in mail.messages] == [["bob@example.com"]]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("554 5.7.1 Looks like spam", PlaceRefused),
        ("452 4.3.1 Insufficient storage", Transient),
        ("421 4.3.2 Closing", Transient),
    ],
)
def test_a_refused_message_is_tried_again_only_if_the_server_says_so(reply, error):
    with MailDouble() as mail:
        mail.refuse_data(reply)

        with pytest.raises(error, match=reply[:9]):
            notifier(mail, tls=False).send(NOTICE, "ann@example.com", PORTS)


def test_a_password_that_the_server_repeats_is_not_quoted():
    coded = base64.b64encode(b"\0keyturn\0hunter-2").decode()
    with MailDouble(tls="starttls", credentials=("keyturn", "hunter-2")) as mail:
        mail.bounce("ann@example.com", f"550 5.0.0 hunter-2 {coded} is wrong")
        made = notifier(mail, username="keyturn", password="hunter-2")

        with pytest.raises(PlaceRefused) as raised:
            made.send(NOTICE, "ann@example.com", PORTS)

    assert "was refused: 550 5.0.0 *** " in str(raised.value)
    assert coded.rstrip("=") not in str(raised.value)


def test_a_host_that_does_not_exist_may_exist_later():
    made = EmailNotifier.model_validate(
        {"from_email": "a@example.org", "auth_data": {"host": "smtp.invalid"}, "timeout": 1}
    )

    with pytest.raises(Transient):
        made.check(PORTS)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@example.com\r\nRCPT TO:<eve@example.com>",
        "ann@example.com, eve@example.com",
        "Ann <ann@example.com>",
        "=?utf-8?q?eve?=@example.com",
        "änn@example.com",
        "ann@exa..mple.com",
        "a" * 65 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused_before_anybody_is_called(address):
    made = EmailNotifier.model_validate(
        {"from_email": "a@example.org", "auth_data": {"host": "smtp.invalid"}}
    )

    with pytest.raises(PlaceRefused):
        made.send(NOTICE, address, PORTS)


def test_a_domain_in_any_script_goes_over_the_wire_in_ascii():
    assert mailbox("ann@bücher.example") == "ann@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "wrong",
    [
        {"from_email": "nobody"},
        {"auth_data": {"host": "smtp.example.org", "username": "keyturn"}},
        {"auth_data": {"host": "smtp.example.org", "password": "CANARY"}},
        {"auth_data": {"host": "smtp.example.org", "username": "k", "password": "CANARYü"}},
        {"auth_data": {"host": "smtp example\r\n", "username": "k", "password": "CANARY"}},
        {"auth_data": {"host": "smtp.example.org", "port": 0}},
        {"ca_bundle": "/etc/ssl/ca.pem"},
        {"timeout": 0},
        {"timeout": 61},
        {"surprise": 1},
    ],
)
def test_a_wrong_configuration_is_refused_without_being_quoted(wrong):
    right = {"from_email": "a@example.org", "auth_data": {"host": "smtp.example.org"}}

    with pytest.raises(ValidationError) as raised:
        EmailNotifier.model_validate({**right, **wrong})

    assert "CANARY" not in str(raised.value)


class Curt:
    """A server that takes one message and says nothing more, or hangs up, when asked to part."""

    def __init__(self, *, hangs_up: bool) -> None:
        self._hangs_up = hangs_up
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.host, self.port = self._listener.getsockname()
        self.taken = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rwb") as lines:
            self._say(lines, b"220 curt")
            while (line := lines.readline().upper()) and not line.startswith(b"QUIT"):
                self._say(lines, b"354 go on" if line.startswith(b"DATA") else b"250 well")
                if line.startswith(b"DATA"):
                    self._take(lines)
            if not self._hangs_up:
                self._over.wait(10)

    def _take(self, lines: Any) -> None:
        while lines.readline() != b".\r\n":
            pass
        self.taken += 1
        self._say(lines, b"250 taken")

    def _say(self, lines: Any, reply: bytes) -> None:
        lines.write(reply + b"\r\n")
        lines.flush()


@pytest.mark.parametrize("hangs_up", [True, False])
def test_what_the_server_has_taken_is_sent_however_it_parts(hangs_up):
    with Curt(hangs_up=hangs_up) as server:
        auth = {"host": server.host, "port": server.port, "tls": False}
        made = EmailNotifier.model_validate({"from_email": "a@example.org", "auth_data": auth})

        made.send(NOTICE, "ann@example.com", PORTS)

    assert server.taken == 1


def test_a_server_that_never_answers_is_left():
    with MailDouble() as mail:
        mail.hang()
        made = notifier(mail, tls=False).model_copy(update={"timeout": 0.1})
        began = time.monotonic()

        with pytest.raises(Transient):
            made.send(NOTICE, "ann@example.com", PORTS)

    assert time.monotonic() - began < 2
