from pathlib import Path

import pytest
from sqlalchemy import update

from core.errors import Conflict, MasterKeyMissing
from core.sealing import MasterKey
from core.settings import Settings
from models import AuditRow, TokenRow, WrappedKey
from services.engine import tokens
from services.operation.pulse import Pulse
from services.operation.rewrapping import rewrap
from services.runtime import Runtime, build
from tests.support.world import World


def beside(world: World, *keys: str) -> Runtime:
    """Another process of the same installation, with these master keys."""
    settings = Settings(
        database_url=world.runtime.settings.database_url,
        master_keys=",".join(keys),
        data_dir=world.folder,
    )
    return build(settings, clock=world.clock)


def key_of(world: World) -> str:
    keys = world.runtime.settings.master_keys
    assert keys is not None
    return keys.get_secret_value()


def test_rewrapping_changes_the_wrapping_key_and_nothing_else(world: World):
    account, token = world.create()
    new = MasterKey.generate()
    other = beside(world, new, key_of(world))

    changed = rewrap(other, "tester")

    with_new_only = beside(world, new)
    (row,) = world.rows(AuditRow, AuditRow.action == "data-keys.rewrapped")
    assert (changed, row.actor["name"], row.detail["keys"]) == (1, "tester", 1)
    assert tokens.read_token(with_new_only, world.admin, account.id) == token
    assert tokens.read_token(world.runtime, world.admin, account.id) == token
    for runtime in (other, with_new_only):
        runtime.close()


def test_rewrapping_twice_changes_nothing_more(world: World):
    changed = rewrap(world.runtime, "tester")

    assert changed == 0
    assert "data-keys.rewrapped" not in [row.action for row in world.rows(AuditRow)]


def test_rewrapping_is_refused_while_a_live_process_lacks_the_new_key(world: World):
    Pulse(world.runtime, "worker").beat()
    other = beside(world, MasterKey.generate(), key_of(world))

    with pytest.raises(Conflict, match="worker on"):
        rewrap(other, "tester")

    other.close()


def test_a_process_that_went_silent_does_not_stop_a_rewrap(world: World):
    Pulse(world.runtime, "worker").beat()
    other = beside(world, MasterKey.generate(), key_of(world))
    world.clock.pass_(minutes=1)

    changed = rewrap(other, "tester")

    assert changed == 1
    other.close()


def test_a_wrong_master_key_is_named_at_start_and_verify_goes_on(world: World):
    _, token = world.create()
    wrong = MasterKey.generate()
    other = beside(world, wrong)

    with pytest.raises(MasterKeyMissing, match=MasterKey.parse(key_of(world)).id):
        other.keyring.check()

    assert World(other, world.clock, world.tenant_id, world.folder).works(token)
    other.close()


@pytest.mark.law(9)
def test_a_sealed_token_moved_to_another_row_does_not_open(world: World):
    one, _ = world.create("one")
    two, _ = world.create("two")
    stolen = world.current(one).sealed
    with world.runtime.database.writing() as session:
        session.execute(update(TokenRow).where(TokenRow.account_id == two.id).values(sealed=stolen))

    with pytest.raises(Exception, match="does not open"):
        tokens.read_token(world.runtime, world.admin, two.id)


def test_data_keys_are_kept_unwrapped_for_an_hour_at_most(world: World):
    account, _ = world.create()
    with world.runtime.database.writing() as session:
        session.execute(update(WrappedKey).values(master_key_id="gone"))

    still = tokens.read_token(world.runtime, world.admin, account.id)
    world.clock.pass_(hours=1)

    assert still is not None
    with pytest.raises(MasterKeyMissing):
        tokens.read_token(world.runtime, world.admin, account.id)


def test_a_runtime_without_any_key_says_which_setting_lacks(tmp_path: Path):
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'k.db'}", data_dir=tmp_path)

    with pytest.raises(MasterKeyMissing, match="KEYTURN_MASTER_KEYS"):
        _ = settings.keys().first
