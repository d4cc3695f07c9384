"""Invitations by the public SDK: one-time links by which people begin who have nothing yet."""

from collections.abc import Iterator

import httpx
import pytest
from truefoundry_sdk import ConflictError, TrueFoundry
from truefoundry_sdk.core.api_error import ApiError

from models import AuditRow, Delivery, Event
from tests.api.calls import ONCE
from tests.api.people import PAGE, joined, sdk, status
from tests.support.mail_double import MailDouble
from tests.support.world import World

LIST = "/api/svc/v1/users"
LOGIN = {"username": "keyturn", "password": "mail-password"}


def actions(world: World) -> list[str]:
    return [row.action for row in world.rows(AuditRow)]


def test_an_invitation_is_a_login_for_somebody_who_has_nothing_yet(
    client: TrueFoundry, anybody: httpx.Client, server: str, world: World
):
    link = client.users.invite_user(email="Ann@example.com", accept_invite_client_url=PAGE).link
    token = link.removeprefix(f"{PAGE}?token=")

    answer = anybody.post(f"{LIST}/accept-invitation", json={"token": token}).json()

    with sdk(server, answer["accessToken"]) as ann:
        created = ann.personal_access_tokens.create(name="first")
    assert answer["user"]["email"] == "ann@example.com"
    assert answer["expiresAt"] == "2026-03-02T21:00:00Z"
    assert status(server, created.token) == 200
    assert actions(world)[-3:] == [
        "user.invited",
        "user.invitation-accepted",
        "personal-access-token.created",
    ]


def test_an_invitation_is_good_once_for_seven_days_and_only_the_newest(
    client: TrueFoundry, anybody: httpx.Client, world: World
):
    def accepted(link: str) -> int:
        token = link.rpartition("token=")[2]
        return anybody.post(f"{LIST}/accept-invitation", json={"token": token}).status_code

    def invited(email: str) -> str:
        return client.users.invite_user(email=email, accept_invite_client_url=PAGE + "?a=b").link

    first, second = invited("ann@example.com"), invited("ann@example.com")
    late = invited("bob@example.com")

    assert [accepted(link) for link in (first, second, second)] == [422, 200, 422]
    world.clock.pass_(days=7)
    assert accepted(late) == 422
    assert accepted("token=tfy_inv_x") == 422


def test_who_has_accepted_or_is_not_active_is_not_invited(client: TrueFoundry, world: World):
    joined(world, "ann@example.com")
    client.users.pre_register_users(email="bob@example.com")
    client.users.deactivate(email="bob@example.com")

    for email in ("ann@example.com", "bob@example.com"):
        with pytest.raises(ConflictError):
            client.users.invite_user(
                email=email, accept_invite_client_url=PAGE, request_options=ONCE
            )


def test_an_invitation_of_somebody_who_is_deactivated_is_not_good(
    client: TrueFoundry, anybody: httpx.Client
):
    link = client.users.invite_user(email="ann@example.com", accept_invite_client_url=PAGE).link
    client.users.deactivate(email="ann@example.com")

    token = link.rpartition("token=")[2]
    answer = anybody.post(f"{LIST}/accept-invitation", json={"token": token})

    assert answer.status_code == 422


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "https://a@b/", "http://[", "//x/y"])
def test_an_invitation_opens_a_web_page_only(client: TrueFoundry, url: str):
    with pytest.raises(ApiError) as refused:
        client.users.invite_user(email="ann@example.com", accept_invite_client_url=url)

    assert refused.value.status_code == 422
    assert refused.value.body["details"] == [{"field": "acceptInviteClientUrl"}]


def test_a_registration_answers_the_link_that_it_was_asked_for(client: TrueFoundry):
    done = client.users.pre_register_users(
        email="ann@example.com", send_invite_email=True, accept_invite_client_url=PAGE
    )
    other = client.users.pre_register_users(email="bob@example.com", send_invite_email=True)

    assert done.link.startswith(f"{PAGE}?token=tfy_inv_")
    assert other.link.startswith("http://127.0.0.1:8400/welcome?token=tfy_inv_")


def mail_channel(world: World, mail: MailDouble) -> None:
    world.integration(
        "custom",
        "mail",
        "notification-channel/email",
        from_email="keyturn@example.com",
        auth_data={"type": "smtp-credentials", "host": mail.host, "port": mail.port, **LOGIN},
        ca_bundle=mail.ca_pem,
    )


@pytest.fixture
def mail() -> Iterator[MailDouble]:
    with MailDouble(tls="starttls", credentials=tuple(LOGIN.values())) as double:
        yield double


def test_an_invitation_goes_out_by_e_mail_once_and_its_link_works(
    http: httpx.Client, anybody: httpx.Client, world: World, mail: MailDouble
):
    mail_channel(world, mail)
    asked = {"email": "ann@example.com", "acceptInviteClientUrl": PAGE}

    answer = http.post(f"{LIST}/invite", json=asked).json()
    world.drain()
    world.drain()

    (sent,) = mail.messages
    text = sent.message.get_body(("plain",)).get_content()
    assert (sent.recipients, answer["emailed"]) == (["ann@example.com"], True)
    assert answer["link"] in text.split()
    assert "invites you to acme" in sent.message["Subject"]
    token = answer["link"].rpartition("token=")[2]
    accepted = anybody.post(f"{LIST}/accept-invitation", json={"token": token})
    assert accepted.status_code == 200


def test_a_registration_with_an_invitation_is_e_mailed_too(
    http: httpx.Client, world: World, mail: MailDouble
):
    mail_channel(world, mail)
    asked = {
        "email": "ann@example.com",
        "sendInviteEmail": True,
        "acceptInviteClientURL": PAGE,
        "dryRun": True,
    }

    http.post(f"{LIST}/register", json=asked)
    answer = http.post(f"{LIST}/register", json={**asked, "dryRun": False}).json()
    world.drain()

    assert answer["emailed"] is True
    assert len(mail.messages) == 1


def test_a_mailed_link_is_sealed_where_it_waits(http: httpx.Client, world: World, mail: MailDouble):
    mail_channel(world, mail)
    asked = {"email": "ann@example.com", "acceptInviteClientUrl": PAGE}

    link = http.post(f"{LIST}/invite", json=asked).json()["link"]

    token = link.rpartition("token=")[2]
    rows = [*world.rows(Event), *world.rows(Delivery), *world.rows(AuditRow)]
    assert rows
    assert [row for row in rows if token in str(vars(row))] == []


def test_without_a_mail_channel_the_answer_says_that_nothing_was_sent(http: httpx.Client):
    asked = {"email": "ann@example.com", "acceptInviteClientUrl": PAGE}

    assert http.post(f"{LIST}/invite", json=asked).json()["emailed"] is False
