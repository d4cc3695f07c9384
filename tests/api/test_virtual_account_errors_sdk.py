"""Errors of virtual accounts as the public SDK maps them."""

import pytest
from truefoundry_sdk import AutoRotate, NotFoundError, TrueFoundry, VirtualAccountManifest
from truefoundry_sdk.core.api_error import ApiError

from services.engine import tokens
from tests.api.calls import NOWHERE, ONCE, kept_in, put, refusal
from tests.support.world import World


def test_an_empty_list_of_permissions_is_refused(client: TrueFoundry):
    refused = refusal(client, VirtualAccountManifest(name="ci-bot", permissions=[]))

    assert refused.body.message == (
        "permissions: List should have at least 1 item after validation, not 0"
    )


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        (VirtualAccountManifest(name="CI"), "name"),
        (VirtualAccountManifest(name="ci-bot", expiration_date="soon"), "expiration_date"),
        (
            VirtualAccountManifest(name="ci-bot", auto_rotate=AutoRotate(interval="soon")),
            "auto_rotate.interval",
        ),
        (
            VirtualAccountManifest(
                name="ci-bot", auto_rotate=AutoRotate(schedule="0 3 * * *", timezone="Berlin")
            ),
            "auto_rotate.timezone",
        ),
        (
            VirtualAccountManifest(
                name="ci-bot",
                secret_store_config=kept_in("nowhere"),
            ),
            "secret_store_config.integration_fqn",
        ),
        ({"name": "ci-bot", "tokenType": "jwt"}, "token_type"),
        ({"name": "ci-bot", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_manifest_is_an_error_that_names_the_field(
    client: TrueFoundry, manifest: object, field: str
):
    refused = refusal(client, manifest)

    assert refused.body.status_code == 422
    assert refused.body.message.startswith(f"{field}: ")
    assert refused.body.details == [{"field": field}]


@pytest.mark.parametrize("path", ["..", "a/../../b", ".hidden", "/"])
def test_a_path_that_a_store_refuses_is_an_error_that_names_the_field(
    client: TrueFoundry, world: World, path: str
):
    place = kept_in(world.file_store(), path)

    refused = refusal(client, VirtualAccountManifest(name="ci-bot", secret_store_config=place))

    assert refused.body.details == [{"field": "secret_store_config.secret_path"}]


def test_a_place_of_another_account_is_a_conflict(client: TrueFoundry, world: World):
    place = kept_in(world.file_store())
    put(client, "first", secret_store_config=place)

    with pytest.raises(ApiError) as refused:
        client.virtual_accounts.create_or_update(
            manifest=VirtualAccountManifest(name="second", secret_store_config=place),
            request_options=ONCE,
        )

    assert refused.value.status_code == 409
    assert refused.value.body["code"] == "conflict"


@pytest.mark.parametrize("account_id", [NOWHERE, "no-uuid", "None"])
def test_an_account_that_is_not_there_is_not_found(client: TrueFoundry, account_id: str):
    with pytest.raises(NotFoundError) as missing:
        client.virtual_accounts.get(account_id)

    assert missing.value.body["code"] == "not_found"


def test_an_account_without_a_valid_token_is_a_conflict(client: TrueFoundry, world: World):
    account = put(client)
    tokens.revoke_all(world.runtime, world.admin, account.id)

    with pytest.raises(ApiError) as refused:
        client.virtual_accounts.get_token(account.id, request_options=ONCE)

    assert refused.value.status_code == 409
    assert refused.value.body["message"] == "ci-bot has no valid token; regenerate it."


@pytest.mark.parametrize("account_id", [NOWHERE, "no-uuid"])
def test_no_call_finds_an_account_that_is_not_there(client: TrueFoundry, account_id: str):
    accounts = client.virtual_accounts

    with pytest.raises(NotFoundError):
        accounts.get_token(account_id)
    with pytest.raises(NotFoundError):
        accounts.regenerate_token(account_id, grace_period_in_minutes=1)
    with pytest.raises(NotFoundError):
        accounts.delete(account_id)
    with pytest.raises(ApiError, match="404"):
        accounts.delete_jwt(account_id, NOWHERE)
