import pytest

from core.errors import Conflict, InvalidInput, Transient
from models import PlaceState
from services.accounts import account_life
from services.delivery import syncing
from services.engine import tokens
from tests.support.world import HOURLY, World, stored


def test_a_place_belongs_to_one_account(world: World):
    fqn, _ = world.store()
    world.create("one", secret_store_config=stored(fqn, "shared/path"))

    with pytest.raises(Conflict, match="belongs to another virtual account"):
        world.create("two", secret_store_config=stored(fqn, "/shared/path/"))


def test_a_deleted_accounts_copy_is_removed(world: World):
    fqn, store = world.store()
    account, token = world.create(secret_store_config=stored(fqn))
    world.drain()

    account_life.delete_account(world.runtime, world.admin, account.id)
    world.drain()

    assert store.held == {}
    assert not world.works(token)
    assert world.places()[0].state is PlaceState.REMOVED


def test_a_deleted_accounts_copy_is_kept_when_asked(world: World):
    fqn, store = world.store()
    account, _ = world.create(secret_store_config=stored(fqn))
    world.drain()

    account_life.delete_account(world.runtime, world.admin, account.id, keep_copies=True)
    world.drain()

    assert "ci/token" in store.held


def test_a_failed_removal_is_tried_again(world: World):
    fqn, store = world.store()
    account, _ = world.create(secret_store_config=stored(fqn))
    world.drain()
    store.fail(Transient("down"))

    account_life.delete_account(world.runtime, world.admin, account.id)
    world.drain()
    still_there = dict(store.held)
    world.clock.pass_(minutes=1)
    world.drain()

    assert "ci/token" in still_there
    assert store.held == {}


@pytest.mark.law(6)
def test_a_late_removal_does_not_kill_the_successors_copy(world: World):
    fqn, store = world.store()
    old, _ = world.create(secret_store_config=stored(fqn))
    world.drain()
    store.fail(Transient("down"))
    account_life.delete_account(world.runtime, world.admin, old.id)
    world.drain()

    _, token = world.create(secret_store_config=stored(fqn))
    for _ in range(5):
        world.clock.pass_(minutes=10)
        world.drain()

    assert store.held["ci/token"][1] == token.reveal()


def test_a_name_is_free_as_soon_as_its_account_is_deleted(world: World):
    account, _ = world.create("ci-bot")
    account_life.delete_account(world.runtime, world.admin, account.id)

    successor, _ = world.create("ci-bot")

    assert successor.id != account.id


def test_a_place_taken_away_is_removed_and_comes_back_when_it_is_added_again(world: World):
    fqn, store = world.store()
    _, token = world.create(secret_store_config=stored(fqn))
    world.drain()

    world.put()
    world.drain()
    without = dict(store.held)
    world.put(secret_store_config=stored(fqn))
    world.drain()

    assert without == {}
    assert store.held["ci/token"][1] == token.reveal()


def test_a_place_added_later_gets_the_present_token(world: World):
    fqn, store = world.store()
    account, _ = world.create()
    token = tokens.rotate_account(world.runtime, world.admin, account.id)

    world.put(secret_store_config=stored(fqn))
    world.drain()

    assert store.held["ci/token"][1] == token.reveal()


def test_an_update_that_touches_nothing_writes_nothing(world: World):
    fqn, store = world.store()
    world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    before = len(world.deliveries())

    put = world.put(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()

    assert not put.changed
    assert len(world.deliveries()) == before
    assert len(store.puts) == 1


@pytest.mark.law(6)
def test_a_forced_sync_is_a_new_revision_of_the_same_token(world: World):
    fqn, store = world.store()
    account, token = world.create(secret_store_config=stored(fqn))
    world.drain()

    syncing.sync_now(world.runtime, world.admin, account.id, force=True)
    world.drain()

    assert [mark.revision for _, mark in store.puts] == [1, 2]
    assert store.held["ci/token"][1] == token.reveal()


def test_a_sync_without_force_sends_only_what_is_not_confirmed(world: World):
    fqn, store = world.store()
    account, _ = world.create(secret_store_config=stored(fqn))
    world.drain()

    syncing.sync_now(world.runtime, world.admin, account.id, force=False)
    world.drain()

    assert len(store.puts) == 1


def test_the_same_place_twice_in_a_manifest_is_refused_with_its_field(world: World):
    fqn, _ = world.store()

    with pytest.raises(InvalidInput) as refused:
        world.create(secret_store_configs=[stored(fqn, "a/b"), stored(fqn, "a/b")])

    assert refused.value.field == "secret_store_configs.1.secret_path"


def test_an_unknown_integration_is_refused_with_its_field(world: World):
    with pytest.raises(InvalidInput) as refused:
        world.create(secret_store_config=stored("acme:aws:main:secret-store:nowhere"))

    assert refused.value.field == "secret_store_config.integration_fqn"


def test_an_account_whose_creation_is_refused_leaves_nothing_behind(world: World):
    fqn, _ = world.store()
    with pytest.raises(InvalidInput):
        world.create(secret_store_configs=[stored(fqn, "a/b"), stored("nowhere", "c")])

    account, _ = world.create()

    assert world.places() == []
    assert account.generation == 1
