"""The bench of e-mail: a mail server that wants TLS and a login, and a reader of what arrives."""

from html.parser import HTMLParser
from typing import Any

from core.errors import DestinationRefused, KeyturnError, PlaceRefused, Transient
from core.plugins import Ports
from notifiers.base import Notice, Notifier
from notifiers.words import headline, shortened
from tests.conformance.notifier_bench import Bench, Expected, Told, another_authority
from tests.support.mail_double import MailDouble, ReceivedMail

_HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Keyturn-Event"]
_PAGE_TAGS = {"html", "head", "meta", "title", "style", "body"}
PERMITTED_TAGS = _PAGE_TAGS | {"table", "tr", "td", "th", "p", "h1", "strong", "a", "br"}


class EmailBench(Bench):
    kind = "email"
    address = "ann@example.com"
    password = "CANARYpw-1"

    def __init__(self) -> None:
        super().__init__()
        self.secrets = (self.password,)
        self.mail = MailDouble(tls="starttls-required", credentials=("keyturn", self.password))
        self._open.enter_context(self.mail)

    def config(self) -> dict[str, Any]:
        return {
            "from_email": "keyturn@example.org",
            "auth_data": self._login(self.password),
            "ca_bundle": self.mail.ca_pem,
            "timeout": 5,
        }

    def told(self) -> list[Told]:
        return [
            Told(mail.message["Message-ID"], _letter_text(mail), mail.message.as_string())
            for mail in self.mail.messages
        ]

    def throttled(self) -> Expected:
        self.mail.greylist(self.address)
        return Expected(Transient)

    def unavailable(self) -> Expected:
        self.mail.refuse_data("421 4.3.2 Closing")
        return Expected(Transient)

    def silent(self) -> Expected:
        self.mail.hang()
        return Expected(Transient, changes={"timeout": 0.2})

    def refusing_connections(self) -> Expected:
        self.mail.stop()
        return Expected(Transient)

    def answer_lost(self) -> Expected:
        self.mail.lose_answer()
        return Expected(Transient, arrives=True)

    def bad_credentials(self) -> Expected:
        return Expected(DestinationRefused, changes={"auth_data": self._login("CANARYpw-old")})

    def address_refused(self) -> Expected:
        self.mail.bounce(self.address)
        return Expected(PlaceRefused)

    def untrusted_certificate(self) -> Expected:
        return Expected(DestinationRefused, changes={"ca_bundle": another_authority()})

    def recover(self) -> None:
        self.mail.forgive()
        self.mail.stop()
        self.mail.start()

    def rotate_credentials(self) -> dict[str, Any]:
        self.mail.credentials = ("keyturn", "CANARYpw-new")
        return {"auth_data": self._login("CANARYpw-new")}

    def failing_checks(self) -> list[tuple[Notifier, Ports, type[KeyturnError]]]:
        return [
            (self.notifier(**self.bad_credentials().changes), self.ports, DestinationRefused),
            (self.notifier(**self.untrusted_certificate().changes), self.ports, DestinationRefused),
            (self.notifier(auth_data=self._login("x") | {"port": 1}), self.ports, Transient),
        ]

    def assert_intact(self, notice: Notice) -> None:
        mail = self.mail.messages[-1]
        assert mail.message.keys()[:-2] == _HEADERS
        assert mail.recipients == [self.address]
        for part in mail.message.walk():
            assert not part.defects
            assert not any(value.defects for value in part.values())
        subject = headline(notice).replace("=?", "= ?")
        assert mail.message["Subject"] == shortened(subject, 150)
        page = Page(body_of(mail, "html"))
        assert page.text_of("h1") == headline(notice)
        assert page.tags <= PERMITTED_TAGS
        assert page.targets <= {notice.link}
        assert body_of(mail, "plain").startswith(headline(notice) + "\n")

    def _login(self, password: str) -> dict[str, Any]:
        return {
            "type": "smtp-credentials",
            "host": self.mail.host,
            "port": self.mail.port,
            "username": "keyturn",
            "password": password,
        }


class Page(HTMLParser):
    """A page's elements, the text in each kind of them, and where its links lead."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: set[str | None] = set()
        self._inside = ""
        self._texts: dict[str, list[str]] = {}
        self.feed(source)
        self.close()

    def text_of(self, tag: str) -> str:
        return "".join(self._texts.get(tag, []))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._inside = tag
        names = {name for name, _ in attrs}
        assert not any(name.startswith("on") for name in names)
        self.targets |= {value for name, value in attrs if name in {"href", "src"}}

    def handle_data(self, data: str) -> None:
        self._texts.setdefault(self._inside, []).append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside


def _letter_text(mail: ReceivedMail) -> str:
    return f"{mail.message['Subject']}\n{body_of(mail, 'plain')}"


def body_of(mail: ReceivedMail, subtype: str) -> str:
    part = mail.message.get_body((subtype,))
    assert part is not None
    text: str = part.get_content()
    return text
