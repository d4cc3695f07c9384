"""Teams, PagerDuty and the signed webhook: applied by the public SDK, then told for real."""

from typing import Any

import httpx
import pytest
from truefoundry_sdk import (
    AutoRotate,
    Email,
    MsTeamsProviderAccount,
    MsTeamsWebhook,
    MsTeamsWebhookAuth,
    MsTeamsWebhookIntegration,
    PagerDuty,
    PagerDutyIntegration,
    PagerDutyIntegrationKeyAuth,
    PagerDutyProviderAccount,
    TeamManifest,
    TrueFoundry,
)

from models import DefaultTarget, Target
from tests.api.calls import put
from tests.api.stores import MASK, applied
from tests.conformance.webhook_bench import secret_of
from tests.support.pagerduty_double import PagerDutyDouble
from tests.support.teams_double import TeamsDouble
from tests.support.webhook_double import WebhookDouble
from tests.support.world import HOURLY, World

KEY = "CANARY".ljust(32, "0")
SETTINGS = "/api/svc/v1/settings/security"
_MAIL: dict[str, Any] = {
    "from_email": "keyturn@example.org",
    "auth_data": {"type": "smtp-credentials", "host": "127.0.0.1", "port": 1, "tls": False},
}


def pagerduty_account(pagerduty: PagerDutyDouble, key: str = KEY) -> PagerDutyProviderAccount:
    auth = PagerDutyIntegrationKeyAuth(
        integration_key=key, integration_url=pagerduty.integration_url
    )
    on_call = PagerDutyIntegration(name="on-call", auth_data=auth)
    return PagerDutyProviderAccount(name="company", integrations=[on_call])


def test_pagerduty_is_told_of_a_rotation(client: TrueFoundry, world: World):
    with PagerDutyDouble() as pagerduty:
        pagerduty.keys.add(KEY)
        (channel,) = applied(client.apply(manifest=pagerduty_account(pagerduty))).integrations or []
        put(
            client,
            auto_rotate=AutoRotate(**HOURLY),
            notification_target=PagerDuty(notification_channel=channel.fqn),
        )
        world.clock.pass_(hours=1)
        world.rotate()
        world.drain()

    assert channel.fqn == "acme:pagerduty:company:notification-channel:on-call"
    assert (channel.metadata or {})["check"]["ok"] is True
    assert channel.manifest["auth_data"]["integration_key"] == MASK
    assert [it["payload"]["source"] for it in pagerduty.changes] == ["acme"] * len(
        pagerduty.changes
    )
    assert any("generation 2" in it["payload"]["summary"] for it in pagerduty.changes)


def test_a_wrong_key_is_found_when_it_is_applied(client: TrueFoundry):
    with PagerDutyDouble() as pagerduty:
        (channel,) = applied(client.apply(manifest=pagerduty_account(pagerduty))).integrations or []

    check = (channel.metadata or {})["check"]
    assert check["ok"] is False
    assert "integration key" in str(check)
    assert "CANARY" not in str(check)


def test_choices_pass_through_the_public_sdks_own_types(client: TrueFoundry, world: World):
    fqn = world.integration("custom", "mail", "notification-channel/email", **_MAIL)
    choice = {"minimum_severity": "warning", "timezone": "Europe/Berlin"}
    target = Email(notification_channel=fqn, to_emails=["ann@example.com"], **choice)

    account = put(client, notification_target=target, on_leak="tell")
    again = client.virtual_accounts.get(account.id).data

    (row,) = world.rows(Target)
    assert (row.minimum_severity, row.timezone) == (1, "Europe/Berlin")
    assert again.manifest.notification_target == target
    assert again.manifest.on_leak == "tell"


def test_a_teams_targets_and_the_tenants_are_set_over_the_api(
    client: TrueFoundry, http: httpx.Client, world: World
):
    fqn = world.integration("custom", "mail", "notification-channel/email", **_MAIL)
    target = {"type": "email", "notificationChannel": fqn, "toEmails": ["ops@example.com"]}
    manifest = TeamManifest(name="platform", members=[], notification_targets=[target])

    team = client.teams.create_or_update(manifest=manifest).data
    answer = http.put(SETTINGS, json={"notificationTargets": [{**target, "events": ["x"]}]})
    http.put(SETTINGS, json={"notificationTargets": [target]}).raise_for_status()

    assert answer.status_code == 422
    assert answer.json()["details"] == [{"field": "notificationTargets.0.events.0"}]
    assert {(row.team_id is None, row.address) for row in world.rows(DefaultTarget)} == {
        (True, "ops@example.com"),
        (False, "ops@example.com"),
    }
    assert team.manifest.notification_targets == [spelled(target)]
    assert http.get(SETTINGS).json()["data"]["notificationTargets"] == [spelled(target)]


def spelled(target: dict[str, Any]) -> dict[str, Any]:
    """As the reference spells it."""
    return {
        "type": target["type"],
        "notification_channel": target["notificationChannel"],
        "to_emails": target["toEmails"],
    }


def test_teams_shows_a_card_of_a_rotation(client: TrueFoundry, world: World):
    with TeamsDouble() as teams:
        auth = MsTeamsWebhookAuth(webhook_url=teams.add_workflow("w1", "CANARY"))
        channel = MsTeamsWebhookIntegration(name="ops", auth_data=auth)
        manifest = MsTeamsProviderAccount(name="company", integrations=[channel])
        (made,) = applied(client.apply(manifest=manifest)).integrations or []
        put(
            client,
            auto_rotate=AutoRotate(**HOURLY),
            notification_target=MsTeamsWebhook(notification_channel=made.fqn),
        )
        world.clock.pass_(hours=1)
        world.rotate()
        for _ in range(3):
            world.drain()
            world.clock.pass_(seconds=2)

    assert made.fqn == "acme:ms-teams:company:notification-channel:ops"
    assert made.manifest["auth_data"]["webhook_url"] == MASK
    assert any("generation 2" in str(posted) for posted in teams.posted)
    assert teams.failures == []


@pytest.mark.law(10)
def test_a_signed_webhook_goes_over_to_another_secret_without_a_gap(
    client: TrueFoundry, world: World
):
    old, new = secret_of("old"), secret_of("new")
    auth = {"type": "webhook", "signing_secret": old}

    def hooks(**changes: str) -> dict[str, object]:
        channel = {"type": "integration/notification-channel/webhook", "name": "siem"}
        integration = {**channel, "auth_data": {**auth, **changes}}
        return {
            "type": "provider-account/custom",
            "name": "in-house",
            "integrations": [integration],
        }

    with WebhookDouble(old, "CANARY", at_any_time=True) as receiver:
        url = receiver.webhook_url
        (made,) = applied(client.apply(manifest=hooks(webhook_url=url))).integrations or []
        target = {"type": "webhook", "notification_channel": made.fqn}
        put(client, auto_rotate=AutoRotate(**HOURLY), notification_targets=[target])
        both = {"webhook_url": MASK, "signing_secret": new, "previous_signing_secret": old}
        for applying, taken in ((both, [old]), (both, [new]), ({"signing_secret": MASK}, [new])):
            client.apply(manifest=hooks(**{"webhook_url": MASK, **applying}))
            receiver.secrets = taken
            world.clock.pass_(hours=1)
            world.rotate()
            world.drain()

    rotated = [it for it in receiver.received if it.data["type"] == "token.rotated"]
    assert [len(it.signatures) for it in rotated if it.data["data"]["facts"]["generation"] > 1] == [
        2,
        2,
        1,
    ]
    assert len({it.id for it in receiver.received}) == len(receiver.received)
