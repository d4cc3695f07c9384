from core.ids import Mark
from core.sealing import MasterKey
from core.settings import Settings
from models import LaneState, VirtualAccount
from services.engine import tokens
from services.integrations import integrations
from services.operation import recovery
from services.runtime import Runtime, build
from tests.support.world import HOURLY, World, stored


def turn_all(runtime: Runtime) -> int:
    return sum(recovery.turn_every_key(runtime, "recovery"))


def with_new_key(world: World) -> Runtime:
    """The same installation, after its master key was lost and another was made."""
    settings = Settings(
        database_url=world.runtime.settings.database_url,
        master_keys=MasterKey.generate(),
        file_root=world.folder,
        data_dir=world.folder,
    )
    return build(settings, clock=world.clock)


def test_after_a_restore_new_writes_win_over_what_the_database_forgot(world: World):
    fqn, store = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    place = world.places()[0].id
    store.held["ci/token"] = (Mark(epoch=1, revision=40, place=place), "forgotten")

    recovery.raise_epoch(world.runtime)
    turned = turn_all(world.runtime)
    world.drain()

    newest = tokens.read_token(world.runtime, world.admin, account.id)
    assert turned == 1
    assert store.held["ci/token"] == (Mark(epoch=2, revision=2, place=place), newest.reveal())


def test_a_restore_without_a_new_epoch_would_leave_the_forgotten_token(world: World):
    fqn, store = world.store()
    world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    place = world.places()[0].id
    store.held["ci/token"] = (Mark(epoch=1, revision=40, place=place), "forgotten")

    turn_all(world.runtime)
    world.drain()

    assert store.held["ci/token"][1] == "forgotten"


def test_after_a_lost_master_key_old_tokens_verify_and_every_account_is_minted_anew(world: World):
    account, old = world.create(auto_rotate=HOURLY)
    other = with_new_key(world)
    after = World(other, world.clock, world.tenant_id, world.folder)

    forgotten = recovery.replace_lost_keys(other, other.settings.keys())
    other.keyring.check()
    turned = turn_all(other)

    assert (forgotten, turned) == ([], 1)
    assert after.works(old)
    assert tokens.read_token(other, world.admin, account.id) != old
    other.close()


def test_after_a_lost_master_key_integrations_wait_to_be_entered_again(world: World):
    fqn, store = world.store()
    account, _ = world.create(secret_store_config=stored(fqn))
    world.drain()
    other = with_new_key(world)
    after = World(other, world.clock, world.tenant_id, world.folder)

    forgotten = recovery.replace_lost_keys(other, other.settings.keys())
    turn_all(other)
    while_paused = (after.drain(), after.lane(fqn).state)
    after.store()
    integrations.resume_lane(other, world.admin, after.lane(fqn).id)
    after.drain()

    newest = tokens.read_token(other, world.admin, account.id).reveal()
    assert forgotten == [fqn]
    assert while_paused == (0, LaneState.PAUSED)
    assert store.held["ci/token"][1] == newest
    other.close()


def test_a_key_that_is_not_lost_is_left_alone(world: World):
    world.create()

    forgotten = recovery.replace_lost_keys(world.runtime, world.runtime.settings.keys())

    assert forgotten == []
    assert world.rows(VirtualAccount)[0].generation == 1
