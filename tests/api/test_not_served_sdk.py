"""Parts of the public SDK's virtual accounts that Keyturn does not serve, or not as asked."""

import pytest
from truefoundry_sdk import TrueFoundry

from tests.api.calls import kept_in, put
from tests.support.world import World


@pytest.mark.xfail(strict=True, reason="the use case is there, the route is not")
def test_a_token_is_sent_to_its_stores_again(client: TrueFoundry, world: World):
    account = put(client, secret_store_config=kept_in(world.file_store()))
    world.drain()

    synced = client.virtual_accounts.sync_to_secret_store(account.id, force=True)

    assert synced.error is None


@pytest.mark.xfail(strict=True, reason="the parameter is ignored: every account is answered")
@pytest.mark.parametrize(
    "asked",
    [
        {"is_expired": True},
        {"owned_by_teams": ["platform"]},
        {"filter": '{"column": "name", "op": "STRING_CONTAINS", "value": "nothing"}'},
    ],
)
def test_a_list_is_narrowed_down_as_asked(client: TrueFoundry, asked: dict[str, object]):
    put(client)

    assert list(client.virtual_accounts.list(**asked)) == []
