from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.plugins import MASK
from core.spelling import reference_spelling
from models import Tenant
from services.integrations.asterisks import unmask
from services.integrations.describing import Described, describe, headings, masked

CANARY = "hvs.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
VAULT = {
    "type": "integration/secret-store/hashicorp/vault",
    "name": "vault",
    "vault_url": "https://vault.example.com:8200",
    "kv_mount_path": "secret",
    "auth_data": {"type": "token", "token": CANARY},
}
FILES = {"type": "integration/secret-store/custom/file", "name": "files"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
integrations = st.fixed_dictionaries(
    {
        "type": st.sampled_from([VAULT["type"], FILES["type"]]) | json_values,
        "name": st.just("vault") | json_values,
    },
    optional={
        "rate": json_values,
        "root_path": json_values,
        "vault_url": st.just("https://vault.example.com:8200") | json_values,
        "kv_mount_path": st.just("secret") | json_values,
        "auth_data": json_values
        | st.fixed_dictionaries({"type": st.sampled_from(["token", "approle"])}),
    },
)
manifests = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["provider-account/custom", "provider-account/hashicorp"]),
        "name": st.just("stores") | json_values,
    },
    optional={
        "auth_data": json_values,
        "integrations": st.lists(integrations, max_size=3) | json_values,
    },
)


def read(given: dict[str, Any], before: Any = None) -> tuple[list[Described], dict[str, Any]]:
    """The integrations of a manifest, and the manifest as it is shown."""
    spelled = reference_spelling(given)
    provider, name = headings(spelled)
    described = describe(Tenant(name="acme"), provider, name, unmask(spelled, before))
    return described, masked(spelled, described)


def account(provider: str, *integrations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": f"provider-account/{provider}",
        "name": "stores",
        "integrations": list(integrations),
        **more,
    }


def refusal(given: dict[str, Any]) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        read(given)
    return refused.value


def outcome(given: dict[str, Any], before: Any) -> type | None:
    """What kind of error reading raises, if any."""
    try:
        read(given, before)
    except Exception as error:  # noqa: BLE001 - the property says which ones there may be
        return type(error)
    return None


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(manifests, json_values)
def test_any_json_object_is_described_or_refused_as_invalid_input(
    given: dict[str, Any], before: Any
):
    assert outcome(given, before) in {None, InvalidInput}


def test_an_integration_has_the_name_of_tenant_provider_account_and_its_own():
    (one,), _ = read(account("hashicorp", VAULT))

    assert one.fqn == "acme:hashicorp:stores:secret-store:vault"
    assert one.kind == "hashicorp/vault"


@pytest.mark.law(9)
def test_credentials_are_shown_as_asterisks():
    _, shown = read(account("hashicorp", VAULT))

    assert shown["integrations"][0]["auth_data"] == {"type": "token", "token": MASK}
    assert CANARY not in str(shown)


def test_what_is_no_credential_is_shown_as_it_was_given():
    _, shown = read(account("hashicorp", VAULT))

    assert shown["integrations"][0] | {"auth_data": None} == VAULT | {"auth_data": None}


@pytest.mark.law(9)
def test_credentials_of_the_account_itself_are_shown_as_asterisks():
    auth = {"type": "basic-auth", "username": "bot", "password": CANARY}

    _, shown = read(account("custom", auth_data=auth))

    assert shown["auth_data"] == {"type": "basic-auth", "username": "bot", "password": MASK}


def test_asterisks_stand_for_what_is_stored():
    before = account("hashicorp", VAULT)
    _, shown = read(before)

    assert unmask(shown, before) == before


def test_asterisks_find_their_integration_by_name_whatever_the_order():
    other = VAULT | {"name": "other", "auth_data": {"type": "token", "token": "other"}}
    before = account("hashicorp", VAULT, other)
    _, shown = read(before)

    full = unmask(shown | {"integrations": shown["integrations"][::-1]}, before)

    assert full["integrations"] == [other, VAULT]


@pytest.mark.parametrize("before", [None, [], {}, {"integrations": [VAULT | {"name": "other"}]}])
def test_asterisks_for_what_was_never_stored_are_refused(before: Any):
    given = account("hashicorp", VAULT | {"auth_data": {"type": "token", "token": MASK}})

    with pytest.raises(InvalidInput, match=r"^integrations\.0\.auth_data\.token: "):
        read(given, before)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "type: give one of provider-account/aws, "),
        ({"type": "provider-account/oracle"}, "type: give one of provider-account/aws, "),
        ({"type": "provider-account/custom"}, "name: a name has 3 to 36 characters"),
        (account("custom", name="No"), "name: a name has 3 to 36 characters"),
        (account("custom", integrations={}), "integrations: give a list"),
        (account("custom", auth_data=CANARY), "auth_data: give an object with type and cred"),
        (account("custom", password=CANARY), "password: give one of auth_data, "),
        (account("custom") | {"integrations": ["x"]}, "integrations.0: give an object with type"),
        (account("custom", {}), "integrations.0.type: give integration/secret-store/<kind> or "),
        (
            account("custom", {"type": f"integration/secret-store/{CANARY}", "name": "abc"}),
            "integrations.0.type: give one of integration/secret-store/aws/parameter-store, ",
        ),
        (
            account("custom", FILES, FILES | {"name": "x"}),
            "integrations.1.name: a name has 3 to 36 characters",
        ),
        (account("custom", FILES, FILES), "integrations.1.name: two integrations have this name"),
        (
            account("custom", VAULT),
            "integrations.0.type: this type belongs under provider-account/hashicorp",
        ),
        (
            account("custom", FILES | {"rate": CANARY}),
            "integrations.0.rate: Input should be a valid number",
        ),
        (
            account("custom", FILES | {"rate": 0}),
            "integrations.0.rate: give calls per second, more than 0",
        ),
        (
            account("custom", FILES | {"path": CANARY}),
            "integrations.0.path: Extra inputs are not permitted",
        ),
        (
            account("hashicorp", VAULT | {"auth_data": {"type": CANARY}}),
            "integrations.0.auth_data: give one of 'token', 'approle'",
        ),
        (
            account("hashicorp", {**VAULT, "vault_url": CANARY}),
            "integrations.0.vault_url: String should match pattern",
        ),
    ],
)
def test_a_refusal_names_the_field_and_what_it_allows(given: dict[str, Any], message: str):
    refused = refusal(given)

    assert str(refused).startswith(message)
    assert CANARY not in str(refused)


def test_an_unknown_type_is_refused_with_the_types_there_are():
    refused = refusal(
        account("custom", {"type": "integration/notification-channel/fax", "name": "fax"})
    )

    assert "integration/notification-channel/slack-bot" in str(refused)
