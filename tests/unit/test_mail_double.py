"""The mail double, proved with smtplib."""

import smtplib
import ssl
from contextlib import closing
from email.message import EmailMessage

import pytest

from tests.support.mail_double import MailDouble


def letter(*recipients: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "keyturn@example.com", ", ".join(recipients)
    message["Subject"] = "Your key turns"
    message.set_content("Soon.")
    return message


def test_mail_arrives_with_its_envelope():
    with MailDouble() as mail, smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
        client.send_message(letter("ann@example.com", "bob@example.com"))

    (received,) = mail.messages
    assert (received.sender, received.encrypted) == ("keyturn@example.com", False)
    assert received.recipients == ["ann@example.com", "bob@example.com"]
    assert received.message["Subject"] == "Your key turns"
    assert received.message.get_content() == "Soon.\n"


@pytest.mark.parametrize("tls", ["starttls", "starttls-required"])
def test_mail_goes_under_starttls_and_without_only_where_that_is_left_open(tls):
    with MailDouble(tls=tls) as mail:
        with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
            client.ehlo()
            answer = client.docmd("MAIL", "FROM:<a@example.com>")
        with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
            client.starttls(context=ssl.create_default_context(cadata=mail.ca_pem))
            client.send_message(letter("ann@example.com"))

    refused = (530, b"Must issue a STARTTLS command first")
    assert answer == (refused if tls == "starttls-required" else (250, b"OK"))
    assert mail.messages[0].encrypted


def test_mail_over_implicit_tls_wants_a_client_that_trusts_it():
    with MailDouble(tls="implicit", credentials=("keyturn", "pw")) as mail:
        trusting = ssl.create_default_context(cadata=mail.ca_pem)
        with smtplib.SMTP_SSL(mail.host, mail.port, timeout=5, context=trusting) as client:
            client.login("keyturn", "pw")
            client.send_message(letter("ann@example.com"))
        with pytest.raises(ssl.SSLCertVerificationError):
            smtplib.SMTP_SSL(mail.host, mail.port, timeout=5, context=ssl.create_default_context())

    assert (mail.messages[0].encrypted, mail.messages[0].login) == (True, "keyturn")


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_mail_behind_a_login_takes_nothing_before_it(tls):
    with (
        MailDouble(tls=tls, credentials=("keyturn", "pw")) as mail,
        smtplib.SMTP(mail.host, mail.port, timeout=5) as client,
    ):
        if tls == "starttls":
            client.ehlo()
            assert not client.has_extn("auth")
            client.starttls(context=ssl.create_default_context(cadata=mail.ca_pem))
        with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
            client.send_message(letter("ann@example.com"))
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            client.login("keyturn", "wrong")
        client.login("keyturn", "pw")
        client.send_message(letter("ann@example.com"))

    assert [received.login for received in mail.messages] == ["keyturn"]


def test_mail_bounces_one_recipient_and_greylists_another_for_a_while():
    with MailDouble() as mail, smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
        mail.bounce("gone@example.com")
        mail.greylist("ann@example.com", times=2)

        refused = client.send_message(letter("gone@example.com", "bob@example.com"))
        codes = []
        for _ in range(2):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as later:
                client.send_message(letter("ann@example.com"))
            codes.append(later.value.recipients["ann@example.com"][0])
        client.send_message(letter("ann@example.com"))

    assert refused["gone@example.com"][0] == 550
    assert codes == [451, 451]
    assert [it.recipients for it in mail.messages] == [["bob@example.com"], ["ann@example.com"]]


def test_mail_refused_after_its_text_is_not_kept():
    with MailDouble() as mail, smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
        mail.refuse_data(times=1)

        with pytest.raises(smtplib.SMTPDataError, match="452"):
            client.send_message(letter("ann@example.com"))
        mail.refuse_data("421 4.3.2 Closing")
        with pytest.raises(smtplib.SMTPDataError, match="421"):
            client.send_message(letter("ann@example.com"))

    assert mail.messages == []


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_mail_with_a_lost_answer_is_there_and_one_met_with_silence_is_not(tls):
    with MailDouble(tls=tls) as mail:
        trusting = ssl.create_default_context(cadata=mail.ca_pem)
        mail.lose_answer()
        mail.hang()
        for words, limit in [("unexpectedly closed", 5), ("timed out", 0.1)]:
            with closing(smtplib.SMTP(mail.host, mail.port, timeout=5)) as client:
                if tls == "starttls":
                    client.starttls(context=trusting)
                client.sock.settimeout(limit)
                with pytest.raises(smtplib.SMTPServerDisconnected, match=words):
                    client.sendmail("a@example.com", ["ann@example.com"], b"Subject: x\r\n\r\nx")

    assert [received.recipients for received in mail.messages] == [["ann@example.com"]]


def test_mail_after_an_outage_has_its_port_and_its_messages():
    with MailDouble() as mail:
        with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
            client.send_message(letter("ann@example.com"))
            mail.stop()
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.noop()
            client.close()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP(mail.host, mail.port, timeout=5)

        mail.start()

        with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
            client.send_message(letter("bob@example.com"))

    assert [it.recipients for it in mail.messages] == [["ann@example.com"], ["bob@example.com"]]
