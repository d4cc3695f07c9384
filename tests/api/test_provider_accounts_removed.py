"""Provider accounts are deleted when nobody uses them."""

import threading
from collections.abc import Callable

import pytest
from truefoundry_sdk import TrueFoundry

from core.actors import Actor
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from models import (
    AuditRow,
    Integration,
    ProviderAccount,
    VirtualAccount,
)
from services.accounts import account_life
from services.integrations import integrations
from services.integrations.integration_removal import delete_provider_account
from tests.api.calls import kept_in, put, rows
from tests.api.integrations import (
    CHAT,
    CONSOLE,
    FQN,
    caller,
    create,
    in_files,
    maker,
)
from tests.api.stores import FILES, custom
from tests.support.world import World, stored


def remove(world: World, actor: Actor | None = None, name: str = "local") -> None:
    delete_provider_account(world.runtime, actor or world.admin, "provider-account/custom", name)


def test_a_provider_account_that_is_used_is_not_deleted(client: TrueFoundry, world: World):
    client.apply(manifest=custom(FILES, CONSOLE))
    target = {"type": "console", "notification_channel": CHAT}
    put(client, "one", secret_store_config=kept_in(FQN, "one"))
    world.put("two", secret_store_config=stored(FQN, "two"), notification_target=target)
    before = rows(world)

    with pytest.raises(Conflict, match=r"is used by \d virtual accounts; take it out of them"):
        remove(world)

    assert rows(world) == before
    assert world.rows(ProviderAccount)[0].deleted_at is None


def test_how_many_accounts_use_an_integration_is_said(client: TrueFoundry, world: World):
    client.apply(manifest=custom(FILES))
    put(client, "one", secret_store_config=kept_in(FQN, "one"))
    put(client, "two", secret_store_configs=[kept_in(FQN, "two"), kept_in(FQN, "three")])

    with pytest.raises(Conflict, match=f"^{FQN} is used by 2 virtual accounts; "):
        remove(world)
    with pytest.raises(Conflict, match=f"^{FQN} is used by 2 virtual accounts; "):
        integrations.apply_provider_account(world.runtime, world.admin, custom())


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_an_integration_is_not_deleted_while_somebody_begins_to_use_it(world: World):
    ended: list[str] = []

    def run(ready: threading.Barrier, act: Callable[[], object]) -> None:
        ready.wait(10)
        try:
            act()
        except (Conflict, InvalidInput) as error:
            ended.append(type(error).__name__)

    for number in range(8):
        integrations.apply_provider_account(world.runtime, world.admin, custom(FILES))
        ready = threading.Barrier(2)
        name = f"bot-{number}"
        given = stored(FQN, f"bots/{number}")
        acts = [lambda: remove(world), lambda: world.put(name, secret_store_config=given)]  # noqa: B023
        threads = [threading.Thread(target=run, args=(ready, act)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for account in world.rows(VirtualAccount, VirtualAccount.name == name):
            assert [row.deleted_at for row in world.rows(Integration)][-1] is None
            account_life.delete_account(world.runtime, world.admin, account.id)

    assert len(ended) == 8


def test_a_deleted_provider_account_is_gone_and_its_name_is_free(client: TrueFoundry, world: World):
    first = client.apply(manifest=custom(FILES))
    account = put(client, secret_store_config=kept_in(FQN))
    world.drain()
    account_life.delete_account(world.runtime, world.admin, account.id)

    remove(world)
    world.drain()
    again = client.apply(manifest=custom(FILES))

    assert (first.action, again.action) == ("CREATE", "CREATE")
    assert not (world.folder / "ci/token").exists()
    [row] = world.rows(AuditRow, AuditRow.action == "provider-account.deleted")
    assert row.subject_name == "custom/local"
    old = world.rows(ProviderAccount, ProviderAccount.deleted_at.is_not(None))
    assert [account.sealed for account in old] == [b""]


def test_grants_on_a_deleted_integration_do_not_pass_to_the_next_of_its_name(
    client: TrueFoundry, server: str, world: World
):
    client.apply(manifest=custom(FILES))
    use = {"resource_type": "provider-integration", "role_id": "provider-integration-member"}
    token = maker(world, {"resource_fqn": FQN, **use})
    remove(world)
    client.apply(manifest=custom(FILES))

    with caller(server, token) as http:
        answer = create(http, secret_store_config=in_files())

    assert answer.status_code == 403


def test_what_is_not_there_or_not_allowed_is_not_deleted(client: TrueFoundry, world: World):
    client.apply(manifest=custom(FILES))

    with pytest.raises(NotFound):
        remove(world, name="other")
    with pytest.raises(InvalidInput, match=r"^type: "):
        delete_provider_account(world.runtime, world.admin, "team", "local")
    with pytest.raises(Forbidden, match="provider-account:delete"):
        remove(world, Actor(world.tenant_id, world.admin.kind, "somebody"))
    assert [row.deleted_at for row in world.rows(Integration)] == [None]
