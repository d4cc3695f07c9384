"""Deleting by manifest, as the public SDK does it."""

from typing import Any

import pytest
from truefoundry_sdk import TrueFoundry
from truefoundry_sdk.core.api_error import ApiError

from models import AccountState, AuditRow, VirtualAccount
from tests.api.calls import ONCE, READER, kept_in, put, rows
from tests.api.people import sdk
from tests.api.test_apply_access_sdk import ACCOUNT, BINDING, EVERY, GROUP, ROLE, STORE, TEAM
from tests.support.world import World

FILES = {"type": "integration/secret-store/custom/file", "name": "files"}


def refused(client: TrueFoundry, manifest: dict[str, Any], status: int) -> str:
    with pytest.raises(ApiError) as error:
        client.delete(manifest=manifest, request_options=ONCE)
    assert error.value.status_code == status, error.value.body
    return error.value.body["message"]


@pytest.mark.parametrize("manifest", EVERY, ids=lambda m: m["type"])
def test_what_was_applied_is_deleted_by_the_same_manifest(
    client: TrueFoundry, manifest: dict[str, Any]
):
    client.apply(manifest=TEAM)
    client.apply(manifest=manifest)

    deleted = client.delete(manifest=manifest)

    assert deleted.model_dump() == {}
    assert manifest["name"] in refused(client, manifest, 404)
    assert client.apply(manifest=manifest).action == "CREATE"


@pytest.mark.parametrize("manifest", EVERY, ids=lambda m: m["type"])
def test_what_is_not_there_is_not_found(
    client: TrueFoundry, world: World, manifest: dict[str, Any]
):
    before = rows(world)

    refused(client, {**manifest, "name": "nobody"}, 404)

    assert rows(world) == before


def test_only_type_and_name_are_read(client: TrueFoundry, world: World):
    put(client)

    client.delete(manifest={"type": "virtual-account", "name": "ci-bot", "nonsense": 1})

    (gone,) = [row for row in world.rows(VirtualAccount) if row.state is AccountState.DELETED]
    assert world.rows(AuditRow)[-1].action == "virtual-account.deleted"
    assert gone.created_by["subjectSlug"] == "keyturn-admin"


def test_a_provider_account_that_is_used_stays(client: TrueFoundry):
    store = {**STORE, "integrations": [FILES]}
    client.apply(manifest=store)
    put(client, secret_store_config=kept_in("acme:custom:local:secret-store:files"))

    refused(client, store, 409)

    assert client.apply(manifest=store, dry_run=True).changed is False


def test_a_secret_group_that_an_account_keeps_its_token_in_stays(client: TrueFoundry):
    client.apply(manifest=GROUP)
    kept = {"type": "tfy-secrets", "secret_group": "app", "key": "token"}
    client.apply(manifest={**ACCOUNT, "secret_store_config": kept})

    refused(client, GROUP, 409)


def test_a_team_that_owns_an_account_stays(client: TrueFoundry):
    client.apply(manifest=TEAM)
    put(client, owned_by={"team": "platform"})

    refused(client, TEAM, 409)


def test_a_role_that_somebody_holds_stays(client: TrueFoundry):
    client.apply(manifest=TEAM)
    client.apply(manifest=ROLE)
    held = {
        "resource_type": "virtual-account",
        "resource_fqn": "virtualaccount:x",
        "role": "rotator",
    }
    client.apply(manifest={**BINDING, "permissions": [held]})

    refused(client, ROLE, 409)


@pytest.mark.parametrize(
    "given", [{}, {"type": "cluster"}, {"type": 7}, {"type": "virtual-account"}]
)
def test_a_manifest_without_a_type_or_name_that_is_served_is_refused(
    client: TrueFoundry, given: dict[str, Any]
):
    message = refused(client, given, 422)

    assert message.startswith(
        "manifest.name: "
        if given.get("type") == "virtual-account"
        else "manifest.type: give one of "
    )


def test_whoever_may_not_delete_it_deletes_nothing(client: TrueFoundry, server: str, world: World):
    _, token = world.create("reader-bot", permissions=[READER.model_dump()])
    put(client)

    with sdk(server, token.reveal()) as reader:
        refused(reader, ACCOUNT, 403)
