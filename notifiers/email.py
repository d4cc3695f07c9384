"""E-mail over SMTP: one letter for one recipient, in text and HTML."""

import re
from contextlib import AbstractContextManager
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from core.errors import PlaceRefused
from core.plugins import Pace, Ports
from notifiers.base import MOST_IN_DIGEST, Digest, Notice, Notifier
from notifiers.digests import digest_letter
from notifiers.rendering import Letter, letter
from notifiers.smtp import Conversation, SmtpCredentials, conversation
from notifiers.wire import LOOK_UP, CaBundle
from notifiers.words import shortened

_LONGEST_SUBJECT = 150
# A conversation has a dozen answers; together they get this many times one answer's patience.
_PATIENCE = 3
_ADDRESS = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64})@([^@\s<>,;:\"\\()\[\]]{1,253})")
_ONE_LINE = SMTP.clone(max_line_length=998)  # RFC 5322, 2.1.1


class _Folded(EmailPolicy):
    """Headers on one line, or as encoded words if they are not ASCII.

    Python's own folding loses and adds blanks, and makes encoded words of long addresses.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        text = str(value)
        if text.isascii():
            return _ONE_LINE.fold_binary(name, value)
        encoded = Header(text, "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {encoded}{self.linesep}".encode()


_LINES = _Folded(linesep=SMTP.linesep)


def mailbox(address: str) -> str:
    """The address as it goes over the wire, its domain in ASCII; ValueError if it is none."""
    parts = _ADDRESS.fullmatch(address)
    if not parts or "=?" in address:  # which header parsers read as encoded text
        raise ValueError("give an e-mail address like name@example.com")
    try:
        domain = parts[2].encode("idna").decode()
    except UnicodeError:
        raise ValueError("give an e-mail address whose domain exists") from None
    return f"{parts[1]}@{domain}"


def _recipient(address: str) -> str:
    try:
        return mailbox(address)
    except ValueError as error:
        raise PlaceRefused(f"{address!r}: {error}") from None


class EmailNotifier(Notifier):
    """Sends mail through your SMTP server."""

    kind: ClassVar[str] = "email"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "E-mail (SMTP)"
    most_in_digest: ClassVar[int] = MOST_IN_DIGEST

    from_email: Annotated[str, AfterValidator(mailbox)] = Field(
        max_length=320, description="The sender's address."
    )
    auth_data: SmtpCredentials
    ca_bundle: CaBundle = Field(
        default="", description="PEM certificates of the only authorities to trust."
    )
    timeout: float = Field(
        default=10.0, ge=0.1, le=60, description="Seconds to wait for one answer."
    )

    @property
    def pace(self) -> Pace:
        return Pace(concurrency=4, send_limit=_PATIENCE * self.timeout + LOOK_UP)

    def check(self, ports: Ports) -> str:
        """Connects, encrypts and logs in as a send would; sends nothing."""
        with self._conversation(ports) as client:
            client.refuse_unless_well(client.noop())
            how = f"over {client.tls}" if client.tls else "without encryption"
        login = f" and accepts the login {self.auth_data.username}"
        who = login if self.auth_data.username else ", no login is set"
        return f"{self.auth_data.host}:{self.auth_data.port} answers {how}{who}"

    def send(self, notice: Notice, address: str, ports: Ports) -> str:
        """Returns once the server has taken the letter over, with what it answered."""
        recipient = _recipient(address)
        return self._send(self.message(notice, recipient), recipient, ports)

    def send_digest(self, digest: Digest, address: str, ports: Ports) -> None:
        """The same for one letter about all of it."""
        recipient = _recipient(address)
        self._send(self._message(digest, digest_letter(digest), recipient), recipient, ports)

    def message(self, notice: Notice, recipient: str) -> EmailMessage:
        """The letter, in 7-bit text; the same notice gives the same bytes."""
        return self._message(notice, letter(notice), recipient)

    def _send(self, message: EmailMessage, recipient: str, ports: Ports) -> str:
        with self._conversation(ports) as client:
            client.sendmail(self.from_email, [recipient], message.as_bytes())
            answer = client.answer
        return f"{self.auth_data.host} has taken the letter over ({answer})"

    def _message(self, told: Notice | Digest, words: Letter, recipient: str) -> EmailMessage:
        message = EmailMessage(policy=_LINES)
        message["From"] = self.from_email
        message["To"] = recipient
        message["Subject"] = shortened(words.subject.replace("=?", "= ?"), _LONGEST_SUBJECT)
        message["Date"] = told.at
        message["Message-ID"] = f"<{told.key}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes, please
        message["X-Keyturn-Event"] = told.type.value if isinstance(told, Notice) else "digest"
        message.set_content(words.text, cte="quoted-printable")
        message.add_alternative(words.html, subtype="html", cte="quoted-printable")
        message.set_boundary(f"=_{told.key.hex}")
        return message

    @property
    def _domain(self) -> str:
        return self.from_email.rpartition("@")[2]

    def _conversation(self, ports: Ports) -> AbstractContextManager[Conversation]:
        return conversation(
            self.auth_data,
            ports.dialer,
            ca_bundle=self.ca_bundle,
            timeout=self.timeout,
            most=_PATIENCE * self.timeout,
            introduced_as=self._domain,
        )
