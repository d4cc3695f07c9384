"""One account from its creation to its end, by the public SDK, on each database."""

import httpx
import pytest
from truefoundry_sdk import AutoRotate, TrueFoundry

from tests.api.calls import kept_in, put
from tests.support.world import HOURLY, World


def verified(anybody: httpx.Client, token: str) -> int:
    return anybody.get("/api/v1/verify", headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_an_account_lives_from_its_creation_to_its_end(
    client: TrueFoundry, anybody: httpx.Client, world: World
):
    files = kept_in(world.file_store())
    account = put(client, auto_rotate=AutoRotate(**HOURLY), secret_store_config=files)
    world.drain()
    first = client.virtual_accounts.get_token(account.id).token

    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()
    second = client.virtual_accounts.get_token(account.id).token
    regenerated = client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=5)
    world.drain()
    third = regenerated.token

    assert len({first, second, third}) == 3
    assert [verified(anybody, token) for token in (first, second, third)] == [200, 200, 200]
    assert world.file("ci/token") == third
    after = client.virtual_accounts.get(account.id).data
    assert [jwt.metadata["generation"] for jwt in after.jwts or []] == [3, 2, 1]
    assert after.next_scheduled_rotation == "2026-03-02T11:00:00Z"

    client.virtual_accounts.delete(account.id)
    world.drain()

    assert [verified(anybody, token) for token in (first, second, third)] == [401, 401, 401]
    assert not (world.folder / "ci" / "token").exists()
    assert [found.manifest.name for found in client.virtual_accounts.list()] == ["keyturn-admin"]
