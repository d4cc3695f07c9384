"""Virtual accounts as the public SDK applies them."""

from truefoundry_sdk import TrueFoundry, VirtualAccount, VirtualAccountManifest

from tests.api.calls import READER, put, rows
from tests.support.world import World


def test_a_virtual_account_is_applied_like_it_is_put(client: TrueFoundry):
    response = client.apply(manifest=VirtualAccountManifest(name="ci-bot", permissions=[READER]))

    assert isinstance(response.data, VirtualAccount)
    assert (response.action, response.existing_manifest) == ("CREATE", None)
    assert client.virtual_accounts.get(response.data.id).data == response.data


def test_applying_a_virtual_account_again_answers_what_was_there(client: TrueFoundry):
    put(client, auto_rotate={"interval": "1h", "grace": "10m"})

    response = client.apply(manifest=VirtualAccountManifest(name="ci-bot"))

    assert isinstance(response.data, VirtualAccount)
    assert response.action == "UPDATE"
    assert isinstance(response.existing_manifest, VirtualAccountManifest)
    assert response.existing_manifest.auto_rotate is not None
    assert response.existing_manifest.auto_rotate.auto_rotate_interval == 360


def test_a_dict_whose_keys_the_sdk_rewrites_is_the_same_manifest(client: TrueFoundry):
    client.apply(manifest={"type": "team", "name": "platform", "members": []})
    given = {
        "type": "virtual-account",
        "name": "ci-bot",
        "permissions": [READER.model_dump()],
        "owned_by": {"team": "platform"},
    }

    response = client.apply(manifest=given)

    assert isinstance(response.data, VirtualAccount)
    assert response.data.manifest is not None
    assert response.data.manifest.permissions == [READER]
    assert response.data.manifest.owned_by is not None
    assert response.data.manifest.owned_by.team == "platform"


def test_a_dry_run_of_a_virtual_account_writes_nothing(client: TrueFoundry, world: World):
    before = rows(world)

    response = client.apply(manifest=VirtualAccountManifest(name="ci-bot"), dry_run=True)

    assert isinstance(response.data, VirtualAccount)
    assert rows(world) == before


def test_a_rotation_that_reaches_nobody_is_answered_with_a_warning(client: TrueFoundry):
    response = client.apply(
        manifest={
            "type": "virtual-account",
            "name": "ci-bot",
            "auto_rotate": {"interval": "1h", "grace": "1m"},
        }
    )

    (warning,) = response.warnings
    assert warning.startswith("This account rotates, but no secret store gets the new token")
