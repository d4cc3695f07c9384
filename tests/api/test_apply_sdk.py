"""Provider accounts as the public SDK applies them."""

import pytest
from truefoundry_sdk import (
    CustomProviderAccount,
    EmailNotificationChannel,
    SlackBotAuth,
    SlackBotIntegration,
    SlackProviderAccount,
    SlackWebhookAuth,
    SlackWebhookIntegration,
    SmtpCredentials,
    TrueFoundry,
)

from tests.api.calls import kept_in, put, rows
from tests.api.stores import CANARY, CONSOLE, FILES, MASK, applied, custom, refusal, vault
from tests.support.ports import free_port
from tests.support.world import World


def test_a_store_of_files_and_a_console_are_a_custom_provider_account(
    client: TrueFoundry, world: World
):
    response = client.apply(manifest=custom(FILES, CONSOLE))

    account = applied(response)
    assert (response.action, response.existing_manifest) == ("CREATE", None)
    assert (account.fqn, account.provider) == ("acme:custom:local", "custom")
    assert [one.fqn for one in account.integrations or []] == [
        "acme:custom:local:secret-store:files",
        "acme:custom:local:notification-channel:console",
    ]
    assert [one.type for one in account.integrations or []] == [
        "secret-store",
        "notification-channel",
    ]


def test_an_integration_has_all_that_the_sdk_reads(client: TrueFoundry):
    account = applied(client.apply(manifest=custom(FILES)))

    (one,) = account.integrations or []
    assert (one.name, one.tenant_name) == ("files", "acme")
    assert one.provider_account_fqn == "acme:custom:local"
    assert one.created_by_subject.subject_slug == "keyturn-admin"
    assert one.manifest == FILES


def test_a_store_that_answers_is_checked(client: TrueFoundry, world: World):
    account = applied(client.apply(manifest=custom(FILES)))

    (one,) = account.integrations or []
    assert one.metadata == {
        "check": {
            "ok": True,
            "message": f"can write in {world.folder}",
            "at": "2026-03-02T09:00:00+00:00",
        }
    }


def test_a_vault_that_does_not_answer_is_kept_and_its_check_says_so(
    client: TrueFoundry, nobody: str
):
    account = applied(client.apply(manifest=vault(nobody)))

    (one,) = account.integrations or []
    assert one.fqn == "acme:hashicorp:vaults:secret-store:vault"
    assert one.metadata == {
        "check": {
            "ok": False,
            "message": "Vault cannot be reached (ConnectionError).",
            "code": "transient",
            "at": "2026-03-02T09:00:00+00:00",
        }
    }


def test_a_slack_account_has_bots_and_webhooks(client: TrueFoundry, nobody: str):
    account = applied(
        client.apply(
            manifest=SlackProviderAccount(
                name="slack",
                integrations=[
                    SlackBotIntegration(
                        name="bot",
                        auth_data=SlackBotAuth(bot_token="xoxb-canary"),
                        endpoint_url=f"https://{nobody}/api/",
                        timeout=0.5,
                    ),
                    SlackWebhookIntegration(
                        name="hook",
                        auth_data=SlackWebhookAuth(webhook_url=f"https://{nobody}/xoxb-canary"),
                        timeout=0.5,
                    ),
                ],
            )
        )
    )

    bot, hook = account.integrations or []
    assert (bot.fqn, hook.fqn) == (
        "acme:slack:slack:notification-channel:bot",
        "acme:slack:slack:notification-channel:hook",
    )
    assert (bot.metadata or {})["check"]["ok"] is False
    assert "xoxb-canary" not in str(account)


def test_an_email_channel_is_part_of_a_custom_provider_account(client: TrueFoundry):
    account = applied(
        client.apply(
            manifest=CustomProviderAccount(
                name="mail",
                integrations=[
                    EmailNotificationChannel(
                        name="mail",
                        from_email="keyturn@example.com",
                        auth_data=SmtpCredentials(
                            host="127.0.0.1",
                            port=free_port(),
                            username="bot",
                            password=CANARY,
                            tls=False,
                        ),
                        timeout=0.5,
                    )
                ],
            )
        )
    )

    (one,) = account.integrations or []
    assert (one.metadata or {})["check"]["ok"] is False
    assert CANARY not in str(account)


def test_an_update_answers_the_manifest_that_was_there(client: TrueFoundry, nobody: str):
    client.apply(manifest=vault(nobody))

    response = client.apply(manifest=vault(nobody, root_path="keyturn"))

    assert response.action == "UPDATE"
    assert response.existing_manifest == vault(nobody, token=MASK)


def test_an_update_of_what_the_sdk_does_not_know_is_an_answer_it_reads(client: TrueFoundry):
    client.apply(manifest=custom(FILES))

    response = client.apply(manifest=custom(FILES, CONSOLE))

    assert (response.action, response.existing_manifest) == ("UPDATE", None)
    assert applied(response).manifest == custom(FILES, CONSOLE)


def test_a_dry_run_answers_what_would_be_and_writes_nothing(client: TrueFoundry, world: World):
    before = rows(world)

    response = client.apply(manifest=custom(FILES, CONSOLE), dry_run=True)

    assert len(applied(response).integrations or []) == 2
    assert response.action == "CREATE"
    assert rows(world) == before


def test_an_integration_that_nobody_uses_goes_with_its_manifest(client: TrueFoundry):
    client.apply(manifest=custom(FILES, CONSOLE))

    account = applied(client.apply(manifest=custom(CONSOLE)))

    assert [one.name for one in account.integrations or []] == ["console"]


def test_an_integration_that_is_in_use_cannot_be_taken_away(client: TrueFoundry):
    client.apply(manifest=custom(FILES, CONSOLE))
    put(client, secret_store_config=kept_in("acme:custom:local:secret-store:files"))

    refused = refusal(client, custom(CONSOLE))

    assert refused.status_code == 409
    assert refused.body["message"] == (
        "acme:custom:local:secret-store:files is used by 1 virtual accounts; "
        "take it out of them first."
    )


def test_a_channel_that_is_in_use_cannot_be_taken_away(client: TrueFoundry):
    client.apply(manifest=custom(FILES, CONSOLE))
    channel = "acme:custom:local:notification-channel:console"
    target = {"type": "console", "notification_channel": channel}
    put(client, notification_targets=[target])

    refused = refusal(client, custom(FILES))

    assert refused.status_code == 409


def test_an_integrations_type_cannot_be_changed(client: TrueFoundry):
    scripted = {"type": "integration/secret-store/custom/scripted", "name": "files", "store": "x"}
    client.apply(manifest=custom(FILES))

    refused = refusal(client, custom(scripted))

    assert refused.status_code == 409
    assert refused.body["message"].endswith("a type cannot be changed.")


@pytest.mark.parametrize("kind", ["", "cluster", "provider-account", "team/of-people"])
def test_a_manifest_of_a_type_that_is_not_served_is_refused(client: TrueFoundry, kind: str):
    refused = refusal(client, {"type": kind, "name": "some-thing"})

    assert refused.status_code == 422
    assert refused.body["details"] == [{"field": "manifest.type"}]


def test_a_provider_that_is_not_served_is_refused_with_those_that_are(client: TrueFoundry):
    refused = refusal(client, {"type": "provider-account/oracle", "name": "oracle"})

    assert refused.status_code == 422
    assert refused.body["message"].startswith("type: give one of provider-account/aws, ")
