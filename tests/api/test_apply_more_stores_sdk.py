"""Parameter Store and the generic store: applied by the public SDK, then written for real."""

import pytest
from truefoundry_sdk import (
    AutoRotate,
    AwsAccessKeyBasedAuth,
    AwsParameterStore,
    AwsProviderAccount,
    CustomHeaderAuth,
    CustomProviderAccount,
    GenericSecretStoreIntegration,
    TrueFoundry,
)

from tests.api.calls import kept_in, put
from tests.api.stores import CANARY, MASK, applied
from tests.support.aws_double import AwsDouble
from tests.support.generic_double import API_KEY, GenericDouble
from tests.support.world import HOURLY, World


def parameters(aws: AwsDouble) -> AwsProviderAccount:
    auth = AwsAccessKeyBasedAuth(access_key_id="AKIATESTING", secret_access_key=CANARY)
    store = AwsParameterStore(
        name="parameters",
        region="us-east-1",
        auth_data=auth,
        endpoint_url=aws.endpoint_url,
        tags={"costCentre": "7"},
        timeout=20,
    )
    return AwsProviderAccount(name="cloud", aws_account_id="123456789012", integrations=[store])


def in_house(generic: GenericDouble) -> CustomProviderAccount:
    auth = CustomHeaderAuth(headers={"X-Api-Key": API_KEY, "xTraceName": "keyturn"})
    store = GenericSecretStoreIntegration(
        name="vaultlet", base_url=generic.base_url, auth_data=auth
    )
    return CustomProviderAccount(name="in-house", integrations=[store])


def test_a_parameter_is_written_at_creation_and_rotation_and_goes_with_its_account(
    client: TrueFoundry, world: World
):
    with AwsDouble() as aws:
        (store,) = applied(client.apply(manifest=parameters(aws))).integrations or []
        place = kept_in(store.fqn, "ci/token")
        account = put(client, auto_rotate=AutoRotate(**HOURLY), secret_store_config=place)
        world.drain()
        world.clock.pass_(hours=1)
        world.rotate()
        world.drain()
        token = client.virtual_accounts.get_token(account.id).token
        held = [it["Value"] for it in aws.parameter_versions("/ci/token")]
        client.virtual_accounts.delete(account.id)
        world.drain()
        left = aws.parameter_versions("/ci/token")

    assert store.fqn == "acme:aws:cloud:secret-store:parameters"
    assert (store.metadata or {})["check"]["ok"] is True
    assert (len(held), held[-1]) == (2, token)
    assert left == []


def test_a_generic_secret_is_written_at_creation_and_rotation_and_goes_with_its_account(
    client: TrueFoundry, world: World
):
    with GenericDouble() as generic:
        (store,) = applied(client.apply(manifest=in_house(generic))).integrations or []
        place = kept_in(store.fqn, "ci/token")
        account = put(client, auto_rotate=AutoRotate(**HOURLY), secret_store_config=place)
        world.drain()
        world.clock.pass_(hours=1)
        world.rotate()
        world.drain()
        token = client.virtual_accounts.get_token(account.id).token
        held = generic.secrets["ci/token"]
        client.virtual_accounts.delete(account.id)
        world.drain()
        left = dict(generic.secrets)

    assert store.fqn == "acme:custom:in-house:secret-store:vaultlet"
    assert (store.metadata or {})["check"]["ok"] is True
    assert (len(held.values), held.value) == (2, token)
    assert held.metadata["account"] == account.manifest.name
    assert left == {}


@pytest.mark.law(9)
def test_headers_keep_their_names_and_their_values_are_asterisks(client: TrueFoundry):
    with GenericDouble() as generic:
        account = applied(client.apply(manifest=in_house(generic)))
        again = applied(client.apply(manifest=account.manifest))
        sent = generic.requests[-1]

    for shown in (account, again):
        headers = shown.manifest["integrations"][0]["auth_data"]["headers"]
        assert headers == {"X-Api-Key": MASK, "xTraceName": MASK}
    assert (sent.headers["X-Api-Key"], sent.headers["xTraceName"]) == (API_KEY, "keyturn")
