"""Keys that sign JWTs: made, turned, published for as long as they are needed."""

from models import SigningKey, TokenRow, TokenState
from services.engine import signing, tokens
from services.engine.signing import published_keys, rotate_signing_key
from services.operation import housekeeping, recovery
from tests.support.jwts import (
    current,
    issued,
    kid_of,
    spoil,
)
from tests.support.world import HOURLY, World


def test_a_new_key_is_published_before_it_signs(world: World):
    account, first = issued(world)

    made = rotate_signing_key(world.runtime, world.admin)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    before = kid_of(current(world, account))
    world.clock.pass_(minutes=10)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    after = kid_of(current(world, account))

    assert (made.state, before, after) == ("coming", kid_of(first), made.kid)
    assert {key["kid"] for key in published_keys(world.runtime)} == {before, after}


def test_a_new_key_can_sign_at_once(world: World):
    account, _ = issued(world)
    world.clock.pass_(seconds=1)

    made = rotate_signing_key(world.runtime, world.admin, at_once=True)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    assert made.state == "signing"
    assert kid_of(current(world, account)) == made.kid


def test_a_key_is_turned_by_age(world: World):
    interval = {**HOURLY, "interval": "60d"}
    account, first = issued(world, auto_rotate=interval)
    world.clock.pass_(days=90)

    tokens.rotate_account(world.runtime, world.admin, account.id)
    at_age = kid_of(current(world, account))
    world.clock.pass_(minutes=10)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    assert at_age == kid_of(first)
    assert kid_of(current(world, account)) != at_age
    assert len(published_keys(world.runtime)) == 2


def test_an_old_key_is_published_until_the_last_token_it_signed_is_past_its_exp(world: World):
    account, old = issued(world)
    world.clock.pass_(seconds=1)
    rotate_signing_key(world.runtime, world.admin, at_once=True)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    new = kid_of(current(world, account))

    world.clock.pass_(hours=2)
    housekeeping.prune(world.runtime)
    while_valid = [key["kid"] for key in published_keys(world.runtime)]
    (closed,) = world.rows(SigningKey, SigningKey.kid == kid_of(old))
    world.clock.pass_(hours=3)
    housekeeping.prune(world.runtime)

    assert kid_of(old) in while_valid
    assert closed.sealed is None
    assert [key["kid"] for key in published_keys(world.runtime)] == [new]


def test_the_private_halves_are_sealed(world: World):
    issued(world)

    (key,) = world.rows(SigningKey)

    assert set(key.public) == {"kty", "crv", "x", "use", "alg", "kid"}
    opened = world.runtime.keyring.open("signing_keys", key.tenant_id, key.id, key.sealed)
    assert opened not in key.sealed


def test_who_lost_the_master_key_signs_with_a_new_key(world: World):
    account, _ = issued(world)

    world.runtime.database.write(
        lambda session: recovery._forget(session, world.tenant_id, world.clock.now())
    )
    tokens.rotate_account(world.runtime, world.admin, account.id)

    assert len(world.rows(SigningKey)) == 2
    assert world.works(current(world, account))


def test_turning_a_signing_key_is_audited(world: World):
    made = signing.rotate_signing_key(world.runtime, world.admin)

    assert [key.kid for key in signing.list_signing_keys(world.runtime, world.admin)] == [made.kid]


def test_a_key_that_does_not_open_stops_its_tenant_alone(world: World):
    account, _ = issued(world)
    plain, _ = world.create("plain-bot", auto_rotate=HOURLY)
    spoil(world)
    world.clock.pass_(hours=1)

    done = world.rotate()

    assert (done.turned, done.failed) == (1, 1)
    assert world.fresh(account).generation == 1
    assert world.fresh(plain).generation == 2
    assert len(world.told("rotation.failed")) == 1


def test_only_jwts_have_a_signing_key(world: World):
    issued(world)
    world.create("plain-bot", auto_rotate=HOURLY)

    rows = world.rows(TokenRow)

    assert sorted(row.is_jwt for row in rows) == [False, True]
    assert {row.state for row in rows} == {TokenState.CURRENT}
