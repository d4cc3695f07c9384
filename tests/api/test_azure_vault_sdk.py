"""Azure Key Vault: applied by the public SDK, then written for real."""

from dataclasses import replace

import pytest
from truefoundry_sdk import (
    AutoRotate,
    AzureOAuth,
    AzureProviderAccount,
    AzureVault,
    TrueFoundry,
)

from tests.api.calls import kept_in, put
from tests.api.stores import MASK, applied
from tests.support.azure_double import CLIENT, CLIENT_SECRET, TENANT, AzureDouble
from tests.support.world import HOURLY, World


def cloud(azure: AzureDouble) -> AzureProviderAccount:
    auth = AzureOAuth(
        tenant_id=TENANT, client_id=CLIENT, client_secret=CLIENT_SECRET, subscription_id=TENANT
    )
    store = AzureVault(
        name="vault", key_vault_name="kv-main", auth_data=auth, ca_bundle=azure.ca_bundle
    )
    return AzureProviderAccount(name="cloud", subscription_id=TENANT, integrations=[store])


def test_a_secret_is_written_at_creation_and_rotation_and_goes_with_its_account(
    client: TrueFoundry, world: World
):
    with AzureDouble() as azure:
        world.runtime.ports = replace(world.runtime.ports, network=azure.dialer())
        (store,) = applied(client.apply(manifest=cloud(azure))).integrations or []
        place = kept_in(store.fqn, "Ci/Token")
        account = put(client, auto_rotate=AutoRotate(**HOURLY), secret_store_config=place)
        world.drain()
        world.clock.pass_(hours=1)
        world.rotate()
        world.drain()
        token = client.virtual_accounts.get_token(account.id).token
        held = list(azure.secrets["ci--token"])
        client.virtual_accounts.delete(account.id)
        world.drain()
        left = dict(azure.secrets)

    assert store.fqn == "acme:azure:cloud:secret-store:vault"
    assert (store.metadata or {})["check"]["ok"] is True
    assert (len(held), held[-1].value) == (2, token)
    assert held[-1].tags["account"] == account.manifest.name
    assert left == {}


@pytest.mark.law(9)
def test_a_client_secret_is_shown_as_asterisks_and_kept_when_they_come_back(
    client: TrueFoundry, world: World
):
    with AzureDouble() as azure:
        world.runtime.ports = replace(world.runtime.ports, network=azure.dialer())
        account = applied(client.apply(manifest=cloud(azure)))
        again = applied(client.apply(manifest=account.manifest))
        (sent,) = {it.form()["client_secret"] for it in azure.seen("POST *")}

    for shown in (account, again):
        auth = shown.manifest["integrations"][0]["auth_data"]
        assert (auth["client_secret"], auth["client_id"]) == (MASK, CLIENT)
    assert sent == CLIENT_SECRET
