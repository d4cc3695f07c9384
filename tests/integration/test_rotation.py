from datetime import timedelta

from models import DeliveryState, TokenState
from tests.support.world import World

HOURLY = {"interval": "1h", "grace": "10m", "max_hold": "2h"}


def stored(fqn: str, path: str = "ci/token", **more):
    return {"type": "secret-store", "integration_fqn": fqn, "secret_path": path, **more}


def test_a_new_account_gets_a_token_that_works_and_is_pushed(world: World):
    fqn = world.file_store()

    _, token = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()

    assert world.works(token)
    assert world.file("ci/token") == token.reveal()


def test_a_due_account_is_rotated_once_and_the_old_token_works_through_its_grace(world: World):
    fqn = world.file_store()
    account, old = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)

    first, second = world.rotate(), world.rotate()
    world.drain()

    assert (first.turned, second.claimed) == (1, 0)
    states = [row.state for row in world.tokens(account)]
    assert states == [TokenState.GRACE, TokenState.CURRENT]
    assert world.works(old)
    assert world.file("ci/token") != old.reveal()
    world.clock.pass_(minutes=10)
    assert not world.works(old)
    assert world.expire() == 1
    assert world.tokens(account)[0].state is TokenState.EXPIRED


def test_an_old_token_is_held_while_a_required_place_lacks_the_new_one(world: World):
    fqn = world.file_store()
    account, old = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()

    world.clock.pass_(minutes=30)

    assert world.works(old)
    world.drain()
    row = world.tokens(account)[0]
    assert row.released_at == world.clock.now()
    assert row.valid_until == world.clock.now() + timedelta(minutes=10)
    assert all(d.state is DeliveryState.DONE for d in world.deliveries())
