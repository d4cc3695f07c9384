from datetime import timedelta

import pytest

from core.errors import Transient
from services.engine import tokens
from tests.support.world import HOURLY, World, stored, told_by


@pytest.mark.law(7)
def test_an_old_token_outlives_its_grace_while_a_required_place_lacks_the_new_one(world: World):
    fqn, _ = world.store()
    _, old = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()

    world.clock.pass_(minutes=30)

    assert world.works(old)
    assert world.expire() == 0


@pytest.mark.law(7)
def test_a_confirmation_releases_the_hold_after_a_pick_up_time(world: World):
    fqn, _ = world.store()
    account, old = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    world.clock.pass_(minutes=30)

    world.drain()

    row = world.tokens(account)[0]
    assert row.released_at == world.clock.now()
    assert row.valid_until == world.clock.now() + timedelta(minutes=10)
    world.clock.pass_(minutes=9, seconds=59)
    assert world.works(old)
    world.clock.pass_(seconds=1)
    assert not world.works(old)


@pytest.mark.law(7)
def test_a_confirmation_inside_the_grace_never_shortens_it(world: World):
    fqn, _ = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()

    world.drain()

    row = world.tokens(account)[0]
    assert row.valid_until == row.grace_until == world.clock.now() + timedelta(minutes=10)


@pytest.mark.law(7)
def test_a_confirmation_just_before_the_end_of_the_grace_still_gives_the_pick_up_time(
    world: World,
):
    fqn, _ = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    world.clock.pass_(minutes=9)

    world.drain()

    assert world.tokens(account)[0].valid_until == world.clock.now() + timedelta(minutes=10)


@pytest.mark.law(7)
def test_at_the_hold_limit_the_old_token_ends_and_an_alarm_is_raised(world: World):
    fqn, store = world.store()
    channel_fqn, channel = world.channel()
    _, old = world.create(
        auto_rotate=HOURLY,
        secret_store_config=stored(fqn),
        notification_target=told_by(channel_fqn),
    )
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    store.fail(Transient("down"), times=1_000)

    world.clock.pass_(hours=2, minutes=9, seconds=59)
    assert world.works(old)
    world.clock.pass_(seconds=1)

    assert not world.works(old)
    assert world.expire() == 1
    world.drain()
    assert "token.hold_exhausted" in [notice.type.value for notice, _ in channel.notices]


@pytest.mark.law(7)
def test_validity_ends_by_itself_although_no_sweep_ran(world: World):
    account, old = world.create(auto_rotate=HOURLY)
    world.clock.pass_(hours=1)
    world.rotate()

    world.clock.pass_(minutes=10)

    assert not world.works(old)
    assert world.refusal(old) == "out_of_grace"
    assert world.tokens(account)[0].state.value == "grace"


@pytest.mark.law(7)
def test_two_rotations_while_a_store_is_down_are_both_released_by_the_newest_confirmation(
    world: World,
):
    fqn, store = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    for _ in range(2):
        world.clock.pass_(minutes=5)
        tokens.rotate_account(world.runtime, world.admin, account.id)

    world.drain()

    assert [row.released_at for row in world.tokens(account)[:2]] == [world.clock.now()] * 2
    assert [mark.revision for _, mark in store.puts] == [1, 3]


@pytest.mark.law(7)
def test_only_required_places_hold_an_old_token(world: World):
    fqn, store = world.store()
    account, old = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn, required=False))
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    store.fail(Transient("down"), times=100)

    world.clock.pass_(minutes=10)

    assert not world.works(old)
    assert world.tokens(account)[0].hold_until == world.tokens(account)[0].grace_until


@pytest.mark.law(7)
def test_taking_the_place_away_releases_what_only_it_held(world: World):
    fqn, _ = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    world.clock.pass_(minutes=30)

    world.put(auto_rotate=HOURLY)

    row = world.tokens(account)[0]
    assert row.valid_until == world.clock.now() + timedelta(minutes=10)


@pytest.mark.law(7)
def test_no_longer_requiring_the_place_releases_what_only_it_held(world: World):
    fqn, _ = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    world.clock.pass_(minutes=30)

    world.put(auto_rotate=HOURLY, secret_store_config=stored(fqn, required=False))

    assert world.tokens(account)[0].released_at == world.clock.now()


@pytest.mark.law(7)
def test_revoking_now_is_never_held(world: World):
    fqn, _ = world.store()
    account, old = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()

    token = tokens.regenerate_token(world.runtime, world.admin, account.id, grace=timedelta(0))

    assert not world.works(old)
    assert world.refusal(old) == "revoked"
    assert world.works(token)


def test_a_held_token_is_told_when_its_grace_is_over(world: World):
    fqn, store = world.store()
    channel_fqn, channel = world.channel()
    world.create(
        auto_rotate=HOURLY,
        secret_store_config=stored(fqn),
        notification_target=told_by(channel_fqn),
    )
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    store.fail(Transient("down"), times=1_000)

    world.clock.pass_(minutes=8)
    world.tell()
    world.clock.pass_(minutes=3)
    world.tell()
    world.tell()
    world.drain()

    told = [notice.type.value for notice, _ in channel.notices]
    assert told.count("token.grace_ending") == 1
    assert told.count("token.grace_held") == 1


def test_a_released_token_is_not_told_as_held(world: World):
    fqn, _ = world.store()
    channel_fqn, channel = world.channel()
    world.create(
        auto_rotate=HOURLY,
        secret_store_config=stored(fqn),
        notification_target=told_by(channel_fqn),
    )
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()

    world.clock.pass_(minutes=8)
    world.tell()
    world.clock.pass_(minutes=3)
    world.tell()
    world.drain()

    assert "token.grace_held" not in [notice.type.value for notice, _ in channel.notices]


def test_a_scheduled_rotation_waits_while_the_store_is_down_and_goes_on_when_it_is_back(
    world: World,
):
    fqn, store = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    store.fail(Transient("down"))
    world.drain()
    world.clock.pass_(hours=1)

    waited = world.rotate()
    world.drain()
    world.clock.pass_(minutes=10)
    went_on = world.rotate()

    assert (waited.turned, waited.waiting) == (0, 1)
    assert (went_on.turned, went_on.waiting) == (1, 0)
    assert len(world.told("rotation.waiting")) == 1
    assert world.fresh(account).waiting_since is None


def test_a_waiting_rotation_goes_ahead_after_the_maximum_hold(world: World):
    fqn, store = world.store()
    world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    store.fail(Transient("down"), times=1_000)
    world.drain()
    world.clock.pass_(hours=1)
    waited = world.rotate()

    world.clock.pass_(hours=2)
    went_ahead = world.rotate()

    assert waited.waiting == 1
    assert went_ahead.turned == 1
