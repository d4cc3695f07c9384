import pytest

from core.errors import InvalidInput
from services.integrations.asterisks import unmask

STORED = {
    "name": "account",
    "integrations": [
        {
            "name": "vault",
            "vault_url": "https://vault.example.com",
            "auth_data": {"type": "token", "token": "s3cret"},
            "timeout": 5,
        }
    ],
}


def given(**changes: object) -> dict[str, object]:
    integration = {
        "name": "vault",
        "vault_url": "https://vault.example.com",
        "auth_data": {"type": "token", "token": "**********"},
        **changes,
    }
    return {"name": "account", "integrations": [integration]}


def test_asterisks_keep_what_is_stored_there():
    kept = unmask(given(timeout=9), STORED)

    assert kept["integrations"][0]["auth_data"]["token"] == "s3cret"
    assert kept["integrations"][0]["timeout"] == 9


def test_asterisks_where_nothing_is_stored_are_refused_with_their_field():
    with pytest.raises(InvalidInput) as refused:
        unmask(given(name="another"), STORED)

    assert refused.value.field == "integrations.0.auth_data.token"


def test_a_hidden_credential_cannot_be_sent_to_another_address():
    with pytest.raises(InvalidInput) as refused:
        unmask(given(vault_url="https://vault.attacker.example"), STORED)

    assert refused.value.field == "integrations.0.vault_url"


def test_a_hidden_credential_cannot_be_shown_to_another_authority():
    with pytest.raises(InvalidInput, match="ca_bundle"):
        unmask(given(ca_bundle="-----BEGIN CERTIFICATE-----"), STORED)


def test_an_address_changes_with_the_credential_given_again():
    changed = given(
        vault_url="https://vault2.example.com", auth_data={"type": "token", "token": "new"}
    )

    assert unmask(changed, STORED) == changed
