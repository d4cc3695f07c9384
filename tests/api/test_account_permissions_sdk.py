"""What an account may do, as its manifest says it over the public SDK."""

import httpx
import pytest
from truefoundry_sdk import (
    Permissions,
    TrueFoundry,
    UnprocessableEntityError,
)
from truefoundry_sdk.core.api_error import ApiError

from tests.api.calls import ADMIN, READER, put, rows
from tests.support.world import World

ADMIN_EMAIL = "admin@example.com"


def test_omitted_permissions_are_kept(client: TrueFoundry):
    put(client, permissions=[READER])

    kept = put(client, tags={"team": "platform"})

    assert kept.manifest is not None
    assert kept.manifest.permissions == [READER]


def test_an_account_without_permissions_keeps_none(client: TrueFoundry):
    put(client)

    kept = put(client, tags={"team": "platform"})

    assert kept.manifest is not None
    assert kept.manifest.permissions is None


def test_an_empty_list_of_permissions_changes_nothing(client: TrueFoundry, world: World):
    put(client, permissions=[READER])
    before = rows(world)

    with pytest.raises(UnprocessableEntityError):
        put(client, permissions=[])

    assert rows(world) == before


@pytest.mark.parametrize(
    ("grant", "field"),
    [
        (Permissions(resource_fqn="acme", resource_type="account", role_id="king"), "role_id"),
        (
            Permissions(resource_fqn="acme", resource_type="castle", role_id="account-viewer"),
            "resource_type",
        ),
        (
            Permissions(resource_fqn="team:x", resource_type="team", role_id="account-viewer"),
            "role_id",
        ),
        (
            Permissions(resource_fqn="other", resource_type="account", role_id="account-viewer"),
            "resource_fqn",
        ),
    ],
)
def test_a_grant_that_means_nothing_is_refused_by_its_field(
    client: TrueFoundry, grant: Permissions, field: str
):
    put(client, permissions=[READER])

    with pytest.raises(UnprocessableEntityError) as refused:
        put(client, permissions=[READER, grant])

    assert refused.value.body.details == [{"field": f"permissions.1.{field}"}]
    assert put(client).manifest.permissions == [READER]


def test_nobody_gives_an_account_what_they_do_not_hold(server: str, world: World):
    maker = Permissions(
        resource_fqn="virtualaccount:ci-bot",
        resource_type="virtual-account",
        role_id="virtual-account-admin",
    )
    _, token = world.create("maker", permissions=[maker.model_dump()])
    with httpx.Client(timeout=30) as connections:
        client = TrueFoundry(base_url=server, api_key=token.reveal(), httpx_client=connections)

        with pytest.raises(ApiError) as refused:
            put(client, permissions=[ADMIN])

        assert refused.value.status_code == 403
        assert put(client, permissions=[maker]).manifest.permissions == [maker]


def test_permissions_that_are_given_replace_the_old_ones(client: TrueFoundry):
    put(client, permissions=[READER])
    member = Permissions(resource_fqn="acme", resource_type="account", role_id="account-member")

    replaced = put(client, permissions=[member])

    assert replaced.manifest is not None
    assert replaced.manifest.permissions == [member]
