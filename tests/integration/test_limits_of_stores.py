"""A store that asks to wait is waited for, and first writes count as what they cost."""

from datetime import timedelta

import pytest

from core.errors import Transient
from models import VirtualAccount
from services.engine import tokens
from tests.support.world import World, stored


def bots(world: World, fqn: str, count: int) -> None:
    for number in range(count):
        world.create(f"bot-{number:03}", secret_store_config=stored(fqn, f"bots/{number}"))


@pytest.mark.law(11)
def test_what_was_claimed_ahead_is_not_sent_once_the_destination_asks_to_wait(world: World):
    fqn, store = world.store(per_second=50, concurrency=1)
    bots(world, fqn, 40)
    wait = timedelta(seconds=30)
    store.steps += [None] * 5
    store.fail(Transient("slow down", retry_after=wait, throttled=True))
    store.fail(AssertionError("sent before the wait was over"), times=100)

    world.drain()
    sent = len(store.held)
    store.steps.clear()
    world.clock.pass_(seconds=31)
    world.drain()

    assert sent == 5
    assert len(store.held) == 40
    assert {delivery.failures for delivery in world.deliveries()} == {0}


@pytest.mark.law(11)
def test_a_destination_without_a_published_limit_is_waited_for_too(world: World):
    fqn, store = world.store(concurrency=1, quota="vault.example.com")
    bots(world, fqn, 5)
    store.fail(Transient("slow down", retry_after=timedelta(seconds=30), throttled=True))
    store.fail(AssertionError("sent before the wait was over"), times=100)

    world.drain()
    store.steps.clear()
    world.clock.pass_(seconds=31)
    world.drain()

    assert len(store.held) == 5


@pytest.mark.law(11)
def test_a_first_write_takes_as_much_of_the_limit_as_its_calls(world: World):
    fqn, _ = world.store(per_second=10, first_cost=3)
    bots(world, fqn, 10)
    started = world.clock.now()
    world.drain()
    first = world.clock.now() - started
    for account in world.rows(VirtualAccount):
        tokens.rotate_account(world.runtime, world.admin, account.id)

    started = world.clock.now()
    world.drain()

    assert first == timedelta(seconds=9 * 0.3)
    assert world.clock.now() - started <= timedelta(seconds=0.3 + 9 * 0.1)
