"""The test button: a marked sample goes out at once, and what was answered comes back."""

from datetime import timedelta

import httpx
import pytest
from truefoundry_sdk import TrueFoundry

from models import AuditRow, Delivery, LaneState
from services.integrations import integrations
from tests.api.calls import NOWHERE
from tests.api.integrations import CHAT, CONSOLE, FQN, one
from tests.api.stores import FILES, custom
from tests.support.mail_double import MailDouble
from tests.support.pagerduty_double import PagerDutyDouble
from tests.support.world import World

ADDRESS = "ann@example.com"
MAIL = "acme:custom:local:notification-channel:mail"


def trial(http: httpx.Client, fqn: str, **body: object) -> httpx.Response:
    return http.post(f"/api/svc/v1/integrations/{one(http, fqn)['id']}/test", json=body)


def mailing(mail: MailDouble) -> dict[str, object]:
    auth = {"type": "smtp-credentials", "host": mail.host, "port": mail.port, "tls": False}
    return {
        "type": "integration/notification-channel/email",
        "name": "mail",
        "from_email": "keyturn@example.org",
        "auth_data": auth,
    }


def test_a_letter_goes_out_at_once_and_its_answer_comes_back(
    client: TrueFoundry, http: httpx.Client, world: World
):
    with MailDouble() as mail:
        client.apply(manifest=custom(mailing(mail)))
        answer = trial(http, MAIL, address=ADDRESS)

        found = answer.json()["data"]
        [letter] = mail.messages

    assert (answer.status_code, found["ok"]) == (200, True)
    assert found["message"].startswith("127.0.0.1 has taken the letter over (250 ")
    assert letter.recipients == [ADDRESS]
    assert letter.message["Subject"].startswith("This is a test by ")
    assert "Nothing has happened." in letter.message["Subject"]
    assert world.rows(Delivery) == []


def test_what_the_other_side_refuses_is_answered_as_it_says_it(
    client: TrueFoundry, http: httpx.Client
):
    with MailDouble() as mail:
        client.apply(manifest=custom(mailing(mail)))
        mail.bounce(ADDRESS)
        found = trial(http, MAIL, address=ADDRESS).json()["data"]
        nobody = trial(http, MAIL).json()["data"]

    assert (found["ok"], found["code"]) == (False, "place_refused")
    assert found["message"] == f"{ADDRESS} was refused: 550 5.1.1 No such user here"
    assert nobody["ok"] is False
    assert "give an e-mail address like name@example.com" in nobody["message"]


def test_a_channel_whose_lane_is_paused_is_tried_all_the_same(
    client: TrueFoundry, http: httpx.Client, world: World
):
    client.apply(manifest=custom(CONSOLE))
    for lane in one(http, CHAT)["lanes"]:
        integrations.pause_lane(world.runtime, world.admin, lane["id"])

    assert trial(http, CHAT).json()["data"]["message"] == "it is printed"
    assert {lane["state"] for lane in one(http, CHAT)["lanes"]} <= {LaneState.PAUSED.value}


def test_who_tested_what_is_audited(client: TrueFoundry, http: httpx.Client, world: World):
    client.apply(manifest=custom(CONSOLE))

    trial(http, CHAT, address="")

    [row] = world.rows(AuditRow, AuditRow.action == "channel.tested")
    assert (row.subject_name, row.detail) == (CHAT, {"address": ""})
    assert row.actor["name"]


def test_the_sixth_test_within_a_minute_is_refused_until_the_minute_is_over(
    client: TrueFoundry, http: httpx.Client, world: World
):
    client.apply(manifest=custom(CONSOLE))
    for _ in range(5):
        assert trial(http, CHAT).json()["data"]["ok"] is True

    refused = trial(http, CHAT)
    world.clock.pass_(seconds=int(refused.headers["Retry-After"]))

    assert refused.status_code == 429
    assert refused.json()["message"].startswith(f"{CHAT} was tested 5 times within a minute")
    assert timedelta(seconds=int(refused.headers["Retry-After"])) <= timedelta(minutes=1)
    assert trial(http, CHAT).status_code == 200


def test_a_secret_store_cannot_be_tested_so(client: TrueFoundry, http: httpx.Client):
    client.apply(manifest=custom(FILES))

    answer = trial(http, FQN)

    assert answer.status_code == 422
    assert "name a notification channel" in answer.json()["message"]


@pytest.mark.parametrize("address", ["a\r\nBcc: b@example.com", "x" * 321])
def test_an_address_that_is_none_is_refused_by_its_field(
    client: TrueFoundry, http: httpx.Client, address: str
):
    client.apply(manifest=custom(CONSOLE))

    answer = trial(http, CHAT, address=address)

    assert answer.status_code == 422
    assert "address" in answer.json()["details"][0]["field"]


def test_an_integration_that_is_not_there_is_not_found(http: httpx.Client):
    assert http.post(f"/api/svc/v1/integrations/{NOWHERE}/test", json={}).status_code == 404


def test_pagerduty_opens_an_alert_and_ends_it(client: TrueFoundry, http: httpx.Client):
    key = "CANARY".ljust(32, "0")
    with PagerDutyDouble() as pagerduty:
        pagerduty.keys.add(key)
        auth = {
            "type": "pagerduty-integration-auth",
            "integration_key": key,
            "integration_url": pagerduty.integration_url,
        }
        on_call = {
            "type": "integration/notification-channel/pagerduty",
            "name": "on-call",
            "auth_data": auth,
        }
        account = {
            "type": "provider-account/pagerduty",
            "name": "company",
            "integrations": [on_call],
        }
        client.apply(manifest=account)
        answer = trial(http, "acme:pagerduty:company:notification-channel:on-call")

    assert answer.json()["data"]["message"] == "PagerDuty has accepted it (2 events)"
    assert key not in answer.text
    assert [alert.is_open for alert in pagerduty.alerts if alert.events[0].get("payload")] == [
        False
    ]
