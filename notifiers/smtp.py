"""A conversation with a mail server: greeted, encrypted, logged in, and over in time."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from core.dial import Dialer
from core.errors import DestinationRefused, Permanent, PlaceRefused, SendFailed, Transient
from notifiers.wire import Deadline, quoted, trusting

IMPLICIT_TLS_PORT = 465  # RFC 8314
_LOGIN_NEEDED = {530, 534, 535, 538}  # RFC 4954
_GOODBYE = 1.0  # seconds: the message is taken over, nothing depends on the farewell

# What the server refused, and whether that concerns one recipient or everybody.
_REFUSALS: list[tuple[type[Exception], str, type[Permanent]]] = [
    (smtplib.SMTPDataError, "the message was refused", PlaceRefused),
    (smtplib.SMTPAuthenticationError, "the login was refused", DestinationRefused),
    (smtplib.SMTPSenderRefused, "the sender was refused", DestinationRefused),
    (smtplib.SMTPConnectError, "the connection was refused", DestinationRefused),
    (smtplib.SMTPResponseException, "the server refused", DestinationRefused),
]

Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,253}$")]


class SmtpCredentials(BaseModel):
    """Where mail is handed in, and as whom. `tls` is STARTTLS, or implicit TLS on port 465."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["smtp-credentials"] = "smtp-credentials"
    host: Host
    port: int = Field(default=587, ge=1, le=65_535)
    username: str | None = Field(default=None, max_length=320)
    password: SecretStr | None = None
    tls: bool = Field(default=True, description="STARTTLS; on port 465 TLS from the start.")

    @model_validator(mode="after")
    def _whole_login(self) -> "SmtpCredentials":
        password = self.password.get_secret_value() if self.password else ""
        if bool(self.username) != bool(password):
            raise ValueError("give username and password, or neither")
        if not f"{self.username or ''}{password}".isascii():
            raise ValueError("SMTP logins are made of ASCII characters only")
        return self

    @property
    def is_implicit(self) -> bool:
        """Whether TLS comes before the first word."""
        return self.tls and self.port == IMPLICIT_TLS_PORT

    @property
    def secrets(self) -> list[str]:
        """What no error may quote."""
        if not self.password:
            return []
        password = self.password.get_secret_value()
        return [password, f"\0{self.username}\0{password}"]


class Conversation(smtplib.SMTP):
    """One connection, made by the deadline's rules; with `trust`, TLS from the start."""

    def __init__(
        self,
        server: SmtpCredentials,
        deadline: Deadline,
        *,
        introduced_as: str,
        trust: ssl.SSLContext | None,
    ) -> None:
        self._deadline = deadline
        self._trust = trust
        self._answer = ""
        self._secrets = server.secrets
        super().__init__(server.host, server.port, local_hostname=introduced_as)

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        connection = self._deadline.connect((host, port))
        if self._trust is None:
            return connection
        return self._trust.wrap_socket(connection, server_hostname=host)

    def data(self, msg: Any) -> tuple[int, bytes]:
        code, said = super().data(msg)
        self._answer = f"{code} {quoted(said, self._secrets)}"
        return code, said

    @property
    def answer(self) -> str:
        """What the server said to the letter, in one line without the password."""
        return self._answer

    @property
    def tls(self) -> str:
        """The protocol that encrypts; empty on a plain connection."""
        return (self.sock.version() or "") if isinstance(self.sock, ssl.SSLSocket) else ""

    @staticmethod
    def refuse_unless_well(reply: tuple[int, bytes]) -> None:
        """Raises what the server answered, if that is not 2yz."""
        if not 200 <= reply[0] <= 299:  # noqa: PLR2004
            raise smtplib.SMTPResponseException(*reply)


@contextmanager
def conversation(
    server: SmtpCredentials,
    dialer: Dialer,
    *,
    ca_bundle: str,
    timeout: float,
    most: float,
    introduced_as: str,
) -> Iterator[Conversation]:
    """Talks to the server; everything that goes wrong inside is raised as one of our errors.

    Waits at most `timeout` seconds for one answer and `most` for all of them.
    """
    try:
        with Deadline(dialer, most, each=timeout) as deadline:
            trust = trusting(ca_bundle)
            client = Conversation(
                server,
                deadline,
                introduced_as=introduced_as,
                trust=trust if server.is_implicit else None,
            )
            try:
                _introduce(client, server, trust)
                yield client
                _part(client)
            finally:
                client.close()
    except (OSError, UnicodeError) as error:  # SMTPException is an OSError
        raise ours(error, server) from None


def _introduce(client: Conversation, server: SmtpCredentials, trust: ssl.SSLContext) -> None:
    client.ehlo_or_helo_if_needed()
    if server.tls and not client.tls:
        client.starttls(context=trust)
        client.ehlo_or_helo_if_needed()
    if server.username and server.password:
        if not client.tls:
            raise DestinationRefused(
                "a password is never sent over a plain connection: set `tls: true`, "
                "or leave out username and password."
            )
        client.login(server.username, server.password.get_secret_value())


def _part(client: Conversation) -> None:
    """Says goodbye; whatever comes of that, what was handed over stays handed over."""
    with suppress(OSError):
        if client.sock is not None:
            client.sock.settimeout(_GOODBYE)
        client.docmd("QUIT")


def ours(error: Exception, server: SmtpCredentials) -> SendFailed:
    """The one place where the mail library's errors become ours; none quotes the password."""
    where = f"{server.host}:{server.port}"
    match error:
        case smtplib.SMTPRecipientsRefused() | smtplib.SMTPResponseException():
            return _answered(error, server.secrets)
        case smtplib.SMTPServerDisconnected():
            return Transient(f"{where}: {quoted(str(error), server.secrets)}")
        case smtplib.SMTPException() | UnicodeError():
            return DestinationRefused(f"{where}: {quoted(str(error), server.secrets)}")
        case ssl.SSLError():
            return _without_tls(error, where)
        case socket.gaierror():
            return Transient(f"{where}: no address found for this name")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Transient(f"{where}: {reason}")


def _answered(
    error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException, secrets: list[str]
) -> SendFailed:
    """By the reply code: 5yz is for good, everything else worth another try (RFC 5321, 4.2.1)."""
    code: int
    said: bytes | str
    permanent: type[Permanent]
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        address, (code, said) = next(iter(error.recipients.items()))
        what, permanent = f"{address} was refused", PlaceRefused
    else:
        code, said = error.smtp_code, error.smtp_error
        what, permanent = next(known[1:] for known in _REFUSALS if isinstance(error, known[0]))
    message = f"{what}: {code} {quoted(said, secrets)}"
    if not 500 <= code <= 599:  # noqa: PLR2004
        return Transient(message)
    return DestinationRefused(message) if code in _LOGIN_NEEDED else permanent(message)


def _without_tls(error: ssl.SSLError, where: str) -> SendFailed:
    if isinstance(error, ssl.SSLCertVerificationError):
        return DestinationRefused(
            f"{where}: its certificate is not trusted ({error.verify_message})"
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Transient(f"{where}: the connection ended during TLS")
    return DestinationRefused(f"{where}: TLS is not possible there ({error.reason})")
