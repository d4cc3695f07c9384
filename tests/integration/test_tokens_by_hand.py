from datetime import timedelta

import pytest

from core.errors import Conflict, InvalidInput, NotFound
from models import AccountState, AuditRow, TokenState
from services.engine import tokens
from tests.support.world import HOURLY, World, stored


def test_the_current_token_can_be_read_back_and_who_read_it_is_kept(world: World):
    account, token = world.create()

    read = tokens.read_token(world.runtime, world.admin, account.id)

    assert read == token
    assert "token.read" in [row.action for row in world.rows(AuditRow)]


def test_regenerating_with_a_grace_keeps_the_old_token_for_it(world: World):
    account, old = world.create()

    new = tokens.regenerate_token(
        world.runtime, world.admin, account.id, grace=timedelta(minutes=30)
    )

    assert world.works(old)
    assert world.works(new)
    world.clock.pass_(minutes=30)
    assert not world.works(old)


def test_a_negative_grace_is_refused(world: World):
    account, _ = world.create()

    with pytest.raises(InvalidInput, match="gracePeriodInMinutes"):
        tokens.regenerate_token(world.runtime, world.admin, account.id, grace=timedelta(minutes=-1))


def test_revoking_the_current_token_replaces_it_in_the_same_commit(world: World):
    fqn, store = world.store()
    account, old = world.create(secret_store_config=stored(fqn))
    world.drain()

    tokens.revoke_token(world.runtime, world.admin, account.id, world.current(account).id)
    world.drain()

    assert world.refusal(old) == "revoked"
    assert store.held["ci/token"][1] != old.reveal()


def test_revoking_a_token_in_grace_ends_it_and_leaves_the_current_one(world: World):
    account, old = world.create()
    new = tokens.regenerate_token(world.runtime, world.admin, account.id, grace=timedelta(hours=1))

    tokens.revoke_token(world.runtime, world.admin, account.id, world.tokens(account)[0].id)

    assert world.refusal(old) == "revoked"
    assert world.works(new)


def test_revoking_all_suspends_the_account_until_it_is_regenerated(world: World):
    account, old = world.create(auto_rotate=HOURLY)

    ended = tokens.revoke_all(world.runtime, world.admin, account.id)
    world.clock.pass_(hours=2)
    rotated = world.rotate().claimed
    suspended = world.fresh(account).state
    new = tokens.regenerate_token(world.runtime, world.admin, account.id, grace=timedelta(0))

    assert (ended, rotated, suspended) == (1, 0, AccountState.SUSPENDED)
    assert not world.works(old)
    assert world.works(new)
    assert world.fresh(account).next_rotation_at == world.clock.now() + timedelta(hours=1)


def test_revoking_all_twice_ends_nothing_more(world: World):
    account, _ = world.create()

    ended = [tokens.revoke_all(world.runtime, world.admin, account.id) for _ in range(2)]

    assert ended == [1, 0]


def test_an_account_past_its_expiration_date_gets_no_new_token_until_the_date_is_moved(
    world: World,
):
    account, old = world.create(expiration_date="2026-03-02")
    world.clock.pass_(hours=16)
    world.expire()

    with pytest.raises(Conflict, match="expiration date"):
        tokens.rotate_account(world.runtime, world.admin, account.id)
    refusal = world.refusal(old)
    world.put(expiration_date="2026-04-01")

    assert refusal == "expired"
    assert world.current(account).state is TokenState.CURRENT
    assert world.current(account).is_valid(world.clock.now())


def test_moving_the_expiration_date_nearer_bounds_the_tokens_in_grace_too(world: World):
    account, old = world.create(expiration_date="2026-04-01")
    tokens.regenerate_token(world.runtime, world.admin, account.id, grace=timedelta(days=20))

    world.put(expiration_date="2026-03-03")

    assert [row.valid_until.isoformat() for row in world.tokens(account)] == [
        "2026-03-04T00:00:00+00:00",
        "2026-03-04T00:00:00+00:00",
    ]
    assert world.works(old)


@pytest.mark.law(12)
def test_another_accounts_token_is_not_found(world: World):
    one, _ = world.create("one")
    two, _ = world.create("two")

    with pytest.raises(NotFound):
        tokens.revoke_token(world.runtime, world.admin, one.id, world.current(two).id)
