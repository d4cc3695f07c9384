"""Credentials of integrations: sealed, shown as asterisks, kept when these come back."""

import pytest
from truefoundry_sdk import (
    AwsAccessKeyBasedAuth,
    AwsProviderAccount,
    AwsSecretsManager,
    TrueFoundry,
)

from models import AuditRow
from tests.api.calls import rows
from tests.api.stores import CANARY, MASK, applied, refusal, sealed, vault
from tests.support.world import World


def test_an_aws_account_lends_its_credentials_to_its_integrations(
    client: TrueFoundry, world: World, nobody: str
):
    auth = AwsAccessKeyBasedAuth(access_key_id="AKIA0000", secret_access_key=CANARY)

    account = applied(
        client.apply(
            manifest=AwsProviderAccount(
                name="amazon",
                aws_account_id="123456789012",
                auth_data=auth,
                integrations=[
                    AwsSecretsManager(
                        name="secrets",
                        region="eu-central-1",
                        endpoint_url=f"http://{nobody}",
                        timeout=0.3,
                    )
                ],
            )
        )
    )

    (one,) = account.integrations or []
    assert one.fqn == "acme:aws:amazon:secret-store:secrets"
    assert (one.metadata or {})["check"]["ok"] is False
    assert sealed(world)["auth_data"]["secret_access_key"] == CANARY
    assert account.manifest["auth_data"] == {
        "type": "access-key-based",
        "access_key_id": "AKIA0000",
        "secret_access_key": MASK,
    }


@pytest.mark.law(9)
def test_credentials_are_never_answered(client: TrueFoundry, nobody: str):
    created = client.apply(manifest=vault(nobody))
    updated = client.apply(manifest=vault(nobody, root_path="keyturn"))

    shown = applied(updated).manifest["integrations"][0]["auth_data"]
    assert shown == {"type": "token", "token": MASK}
    assert CANARY not in str(created)
    assert CANARY not in str(updated)


@pytest.mark.law(9)
def test_credentials_are_in_no_audit_row(client: TrueFoundry, world: World, nobody: str):
    client.apply(manifest=vault(nobody))

    [row] = world.rows(AuditRow, AuditRow.action == "provider-account.created")

    assert row.subject_name == "hashicorp/vaults"
    assert CANARY not in str(row.detail)


def test_asterisks_that_come_back_keep_the_stored_credentials(
    client: TrueFoundry, world: World, nobody: str
):
    client.apply(manifest=vault(nobody))

    client.apply(manifest=vault(nobody, token=MASK, root_path="keyturn"))

    assert sealed(world)["auth_data"]["token"] == CANARY
    assert sealed(world)["root_path"] == "keyturn"


def test_new_credentials_replace_the_stored_ones(client: TrueFoundry, world: World, nobody: str):
    client.apply(manifest=vault(nobody))

    client.apply(manifest=vault(nobody, token="hvs.new"))

    assert sealed(world)["auth_data"]["token"] == "hvs.new"


def test_asterisks_for_credentials_that_were_never_stored_are_refused(
    client: TrueFoundry, nobody: str
):
    refused = refusal(client, vault(nobody, token=MASK))

    assert refused.status_code == 422
    assert refused.body["message"].startswith("integrations.0.auth_data.token: ")


def test_what_was_answered_can_be_applied_again_and_changes_nothing(
    client: TrueFoundry, world: World, nobody: str
):
    answered = applied(client.apply(manifest=vault(nobody))).manifest
    before = rows(world)

    again = client.apply(manifest=answered)

    assert again.action == "UPDATE"
    assert rows(world) == before
