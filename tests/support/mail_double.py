"""A mail server that keeps what it is given, asks for TLS and a login, and can refuse or vanish."""

import asyncio
import logging
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal, Self, cast

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Tls = Literal["none", "starttls", "starttls-required", "implicit"]
LOSE_ANSWER = "lose the answer"
HANG = "hang"


@dataclass(frozen=True)
class ReceivedMail:
    """A message as it was accepted, with its envelope and how it came."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    encrypted: bool
    login: str | None


class MailDouble:
    """An SMTP server on a free loopback port, with a certificate for it from `ca_pem`.

    With `credentials` (login, password) nothing is taken before AUTH, which is offered only over
    TLS where there is TLS. Stopped and started again it keeps port, mails and orders.
    """

    def __init__(self, *, tls: Tls = "none", credentials: tuple[str, str] | None = None) -> None:
        self.port = 0
        self.host = "127.0.0.1"
        self.messages: list[ReceivedMail] = []
        self.tls = tls
        self.credentials = credentials
        authority = trustme.CA()
        self.ca_pem = authority.cert_pem.bytes().decode()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self.context)
        self.bounces: dict[str, str] = {}
        self.greylisted: dict[str, int] = {}
        self.data_orders: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def bounce(self, recipient: str, reply: str = "550 5.1.1 No such user here") -> None:
        """Refuse the recipient until `forgive`."""
        self.bounces[recipient] = reply

    def greylist(self, recipient: str, times: int = 1) -> None:
        """Answer 451 to the recipient's next `times` attempts."""
        self.greylisted[recipient] = times

    def forgive(self) -> None:
        """Nothing is refused any more, and nothing ordered is left."""
        self.bounces.clear()
        self.greylisted.clear()
        self.data_orders.clear()

    def refuse_data(self, reply: str = "452 4.3.1 Insufficient storage", times: int = 1) -> None:
        """Refuse the next messages after their text was sent; keep none of them."""
        self.data_orders += [reply] * times

    def lose_answer(self, times: int = 1) -> None:
        """Accept and keep the next message, then reset the connection without an answer."""
        self.data_orders += [LOSE_ANSWER] * times

    def hang(self, times: int = 1) -> None:
        """Take the next message's text and say nothing until the connection ends; keep it not."""
        self.data_orders += [HANG] * times

    def start(self) -> None:
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_tell_unless_network)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._open())

    def stop(self) -> None:
        """Connections are reset, the port refuses; a second call does nothing."""
        loop = self._loop
        if loop is not None:
            self._run(self._close())
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()
            loop.close()
            self._loop = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, cast("Any", self._loop)).result(10)

    async def _open(self) -> None:
        self._connections: set[_Connection] = set()
        context = self.context if self.tls == "implicit" else None
        make = cast("asyncio.AbstractEventLoop", self._loop).create_server
        self._server = await make(
            lambda: _Connection(self, self._connections), self.host, self.port, ssl=context
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        for listening in self._server.sockets:  # what was accepted before is made, then cut
            asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(100):  # rounds of 50 ms at most
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if not others and not self._connections:
                break
            for connection in list(self._connections):
                connection.reset()
            others.add(asyncio.create_task(asyncio.sleep(0)))
            _, stuck = await asyncio.wait(others, timeout=0.05)
            for task in stuck:  # a TLS handshake that the client does not answer
                task.cancel()
        self._server.close()
        await self._server.wait_closed()


class _Rules:
    """What aiosmtpd asks at each step of a delivery."""

    def __init__(self, double: MailDouble) -> None:
        self._double = double

    def admit(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: LoginPassword
    ) -> AuthResult:
        known = (given.login.decode(), given.password.decode()) == self._double.credentials
        return AuthResult(success=known, handled=False, auth_data=given)

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self._double.bounces:
            return self._double.bounces[address]
        if self._double.greylisted.get(address):
            self._double.greylisted[address] -= 1
            return "451 4.7.1 Greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, server: "_Connection", session: Session, envelope: Envelope
    ) -> str:
        order = self._double.data_orders.pop(0) if self._double.data_orders else ""
        if order == HANG:
            await asyncio.Event().wait()  # until the connection ends
        if order and order != LOSE_ANSWER:
            return order
        raw = cast("bytes", envelope.original_content).replace(b"\r\n", b"\n")
        message = cast("EmailMessage", message_from_bytes(raw, policy=policy.default))
        encrypted = session.ssl is not None or self._double.tls == "implicit"
        login = session.auth_data.login.decode() if session.authenticated else None
        sender, recipients = envelope.mail_from or "", list(envelope.rcpt_tos)
        self._double.messages.append(ReceivedMail(sender, recipients, message, encrypted, login))
        if order == LOSE_ANSWER:
            server.reset()
            await asyncio.Event().wait()
        return "250 2.0.0 Ok: queued"


class _Connection(SMTP):
    """One client's session, known to the double so that it can be cut."""

    def __init__(self, double: MailDouble, connections: "set[_Connection]") -> None:
        rules = _Rules(double)
        starttls = double.tls.startswith("starttls")
        super().__init__(
            rules,
            hostname="mail.keyturn.test",
            loop=double._loop,
            tls_context=double.context if starttls else None,
            require_starttls=double.tls == "starttls-required",
            auth_require_tls=starttls or double.credentials is None,
            authenticator=rules.admit,
        )
        self._auth_required = double.credentials is not None  # as an argument it warns
        self._connections = connections

    def connection_made(self, transport: Any) -> None:
        self._connections.add(self)  # called again, with another transport, after STARTTLS
        self._socket = transport.get_extra_info("socket")
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    def reset(self) -> None:
        with suppress(OSError):  # closed already
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for transport in (self.transport, self._original_transport):
            if transport is not None:
                cast("asyncio.WriteTransport", transport).abort()


def _tell_unless_network(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A client that goes away, is cut off or distrusts the certificate is no news."""
    if not isinstance(context.get("exception"), OSError | asyncio.CancelledError):
        loop.default_exception_handler(context)
