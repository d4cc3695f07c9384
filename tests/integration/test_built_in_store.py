"""The built-in secret store beneath its sink, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from core.errors import Conflict, PlaceRefused, Transient
from core.sealing import MasterKey
from core.secret_store import SecretGroups, Stored
from core.settings import Settings
from models import Lane, LaneState, SecretGroup, SecretVersion
from services.access import bindings
from services.engine import tokens
from services.operation import recovery
from services.runtime import build
from services.secrets import secret_groups, secrets
from services.secrets.secret_values import KEPT
from tests.support.world import World

MARK = {"managed-by": "keyturn", "place": str(uuid4()), "epoch": "1", "revision": "1"}


@pytest.fixture
def group(world: World) -> SecretGroup:
    return secret_groups.put_secret_group(world.runtime, world.admin, {"name": "app"}).row


def fill(world: World, group: SecretGroup, **values: str | None) -> None:
    given = [{"key": key, "value": value} for key, value in values.items()]
    secret_groups.update_secrets(world.runtime, world.admin, str(group.id), given)


def store(world: World) -> SecretGroups:
    return world.runtime.ports.built_in_store()


def newest(world: World, key: str = "key") -> Stored | None:
    return store(world).newest(world.tenant_id, "app", key)


def write(
    world: World, value: str, after: Stored | None, *, group: str = "app", **mark: str
) -> None:
    store(world).put_version(
        world.tenant_id, group, "key", SecretStr(value), MARK | mark, after=after
    )


def values(world: World) -> list[str]:
    views, _ = secrets.list_secrets(world.runtime, world.admin, limit=10, offset=0, with_value=True)
    return [view.value.get_secret_value() for view in views if view.value]


def test_only_one_of_several_writers_wins(world: World, group: SecretGroup):
    def attempt(number: int) -> bool:
        try:
            write(world, f"value-{number}", None)
        except Transient:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(attempt, range(6)))

    assert sum(won) == 1
    assert values(world) == [f"value-{won.index(True)}"]


def test_a_late_write_lands_on_nothing(world: World, group: SecretGroup):
    write(world, "one", None)
    read = newest(world)
    write(world, "two", read, revision="2")

    with pytest.raises(Transient):
        write(world, "late", read)
    with pytest.raises(Transient):
        store(world).remove(world.tenant_id, "app", "key", newest=read)

    assert values(world) == ["two"]


def test_the_same_value_gets_the_new_mark_and_no_version(world: World, group: SecretGroup):
    write(world, "one", None)
    read = newest(world)

    write(world, "one", read, revision="2")

    again = newest(world)
    assert (again.id, again.version) == (read.id, read.version)
    assert again.metadata["revision"] == "2"
    with pytest.raises(Transient):
        write(world, "late", read)


def test_what_people_write_over_it_bears_no_mark_but_the_last_one_is_remembered(
    world: World, group: SecretGroup
):
    write(world, "one", None)
    fill(world, group, key="theirs")

    read = newest(world)

    assert (read.version, read.metadata, read.before) == (2, None, MARK)


def test_a_group_that_is_not_there_refuses_the_place(world: World):
    with pytest.raises(PlaceRefused):
        write(world, "one", None, group="nowhere")

    assert store(world).newest(world.tenant_id, "nowhere", "key") is None


def test_another_tenant_s_group_is_not_there(world: World, group: SecretGroup):
    with pytest.raises(PlaceRefused):
        store(world).put_version(UUID(int=7), "app", "key", SecretStr("one"), MARK, after=None)


def test_old_versions_are_kept_up_to_a_bound(world: World, group: SecretGroup):
    for number in range(KEPT + 3):
        write(world, f"{number}", newest(world))

    kept = sorted(row.version for row in world.rows(SecretVersion))

    assert kept == list(range(4, KEPT + 4))


def test_a_group_is_not_deleted_under_an_account_that_is_being_pointed_at_it(
    world: World, group: SecretGroup
):
    config = {"type": "tfy-secrets", "secret_group": "app", "key": "CI_TOKEN"}

    def point() -> bool:
        return world.put("ci-bot", secret_store_config=config).created

    def delete() -> bool:
        try:
            secret_groups.delete_secret_group(world.runtime, world.admin, str(group.id))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        pointing, deleting = pool.submit(point), pool.submit(delete)
        deleted = deleting.result()
        is_pointed = pointing.exception() is None

    assert deleted != is_pointed


def test_after_a_lost_master_key_tokens_come_back_and_what_people_wrote_is_named(
    world: World, group: SecretGroup
):
    config = {"type": "tfy-secrets", "secret_group": "app", "key": "CI_TOKEN"}
    account, _ = world.create(secret_store_config=config)
    world.drain()
    fill(world, group, CI_TOKEN=None, DB="theirs")
    settings = Settings(
        database_url=world.runtime.settings.database_url,
        master_keys=MasterKey.generate(),
        data_dir=world.folder,
    )
    other = build(settings, clock=world.clock)
    after = World(other, world.clock, world.tenant_id, world.folder)

    forgotten = recovery.replace_lost_keys(other, other.settings.keys())
    lost = values(after)
    for _ in recovery.turn_every_key(other, "tester"):
        pass
    after.drain()

    assert forgotten == ["acme:app:DB"]
    assert lost == []
    assert values(after) == [tokens.read_token(other, world.admin, account.id).reveal()]
    assert {lane.state for lane in after.rows(Lane)} == {LaneState.OPEN}
    other.close()


def test_collaborators_are_no_role_binding_of_their_own(world: World):
    manifest = {
        "name": "app",
        "collaborators": [{"subject": "user:admin@example.com", "role_id": "secret-group-admin"}],
    }
    secret_groups.put_secret_group(world.runtime, world.admin, manifest)

    listed, total = bindings.list_bindings(world.runtime, world.admin, limit=10, offset=0)

    assert (listed, total) == ([], 0)
