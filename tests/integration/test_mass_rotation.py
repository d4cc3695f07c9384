"""Many keys turned at once: within the published limit, in hardly more than the least time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.errors import Forbidden
from core.roles import NOTHING
from models import AccountState, AuditRow, Delivery, Priority, TokenRow, VirtualAccount
from services.accounts import account_life
from services.accounts.account_filters import Narrowing
from services.engine import tokens
from services.engine.mass_rotation import Turned, look_ahead, turn_all
from tests.benchmarks.mass_rotation import rotate_all
from tests.support.identity import trust_unseen
from tests.support.world import HOURLY, World, stored

ACCOUNTS = 1_000


@pytest.mark.law(11)
@pytest.mark.parametrize("latency", [0.005, 0.2])
def test_a_mass_rotation_keeps_the_limit_and_takes_hardly_longer_than_it_must(
    world: World, latency: float
):
    finished = rotate_all(world, ACCOUNTS, latency=latency)

    assert finished.floor == 20.0
    assert finished.throttled == 0
    assert finished.seconds <= 1.05 * finished.floor


@pytest.mark.law(11)
def test_what_a_hanging_store_held_up_does_not_go_out_in_one_burst(world: World):
    hangs = {number: timedelta(seconds=1.5) for number in (100, 300, 301, 500)}

    finished = rotate_all(world, ACCOUNTS, hangs=hangs)

    assert hangs == {}
    assert finished.throttled == 0
    assert finished.seconds <= 1.05 * finished.floor + 4 * 1.5


@pytest.mark.law(11)
def test_a_dead_store_beside_it_delays_a_mass_rotation_by_nothing(world: World):
    alone = rotate_all(world, ACCOUNTS)

    beside = rotate_all(world, ACCOUNTS, dead=True)

    assert beside.lost_calls > 0
    assert beside.throttled == 0
    assert beside.seconds == pytest.approx(alone.seconds, abs=0.01)


def turn(world: World, search: str = "", **how: Any) -> list[Turned]:
    narrowing = Narrowing(search=search)
    before = look_ahead(world.runtime, world.admin, narrowing).before
    return list(turn_all(world.runtime, world.admin, narrowing, **{"before": before, **how}))


def generations(world: World) -> dict[str, int]:
    return {account.name: account.generation for account in world.rows(VirtualAccount)}


def test_it_is_said_beforehand_how_many_there_are_and_how_long_their_stores_need(world: World):
    slow, _ = world.store("slow", per_second=0.5)
    free, _ = world.store("free")
    short = {"interval": "1h", "grace": "7s"}
    world.create("one-bot", auto_rotate=short, secret_store_config=stored(slow, "1"))
    world.create("two-bot", auto_rotate=HOURLY, secret_store_config=stored(slow, "2"))
    world.create("other-bot", secret_store_config=stored(free, "3"))
    world.create("nowhere-bot")
    world.clock.pass_(minutes=1)

    ahead = look_ahead(world.runtime, world.admin, Narrowing())

    assert (ahead.accounts, ahead.unkept, ahead.short_graces) == (4, 1, 1)
    assert (ahead.seconds, ahead.before) == (4.0, world.clock.now())
    assert [(floor.integrations, floor.seconds) for floor in ahead.floors] == [
        ([free], 0.0),
        ([slow], 4.0),
    ]
    assert set(generations(world).values()) == {1}


def test_every_key_is_turned_with_its_own_grace_and_an_audit_row(world: World):
    fqn, store = world.store()
    made = [
        world.create(f"bot-{n}", auto_rotate=HOURLY, secret_store_config=stored(fqn, f"bots/{n}"))
        for n in range(5)
    ]
    world.drain()
    world.clock.pass_(minutes=1)

    done = turn(world, batch=2)
    world.drain()

    assert [one.turned for one in done] == [2, 2, 1]
    assert set(generations(world).values()) == {2}
    rows = world.rows(AuditRow, AuditRow.action == "token.manual")
    assert sorted(row.subject_name for row in rows) == [f"bot-{n}" for n in range(5)]
    assert {row.actor["name"] for row in rows} == {"tester"}
    for account, old in made:
        first, second = world.tokens(account)
        assert first.grace_until - second.created_at == timedelta(minutes=10)
        assert world.works(old)
    assert {mark.revision for mark, _ in store.held.values()} == {2}


def test_its_copies_go_before_those_of_the_schedule(world: World):
    fqn, _ = world.store()
    world.create(secret_store_config=stored(fqn))
    world.clock.pass_(minutes=1)

    turn(world)

    assert world.deliveries()[-1].priority == Priority.MANUAL < Priority.SCHEDULED


def test_going_on_after_an_interruption_turns_nothing_twice(world: World):
    for number in range(5):
        world.create(f"bot-{number}")
    world.clock.pass_(minutes=1)
    before = look_ahead(world.runtime, world.admin, Narrowing()).before
    first = next(turn_all(world.runtime, world.admin, Narrowing(), before=before, batch=2))

    rest = turn(world, before=before)

    assert (first.turned, sum(one.turned for one in rest)) == (2, 3)
    assert set(generations(world).values()) == {2}


def test_only_those_that_are_asked_for_are_turned(world: World):
    world.create("ci-bot")
    world.create("web-bot")
    world.clock.pass_(minutes=1)

    turn(world, "ci-")

    assert generations(world) == {"ci-bot": 2, "web-bot": 1}


def test_those_without_a_token_to_turn_are_left_out(world: World):
    suspended, _ = world.create("suspended")
    deleted, _ = world.create("deleted")
    world.create("expired", expiration_date="2026-03-03")
    trust_unseen(world)
    world.put(
        "mapped", identity_provider_mapping=[{"identity_provider": "github", "value": "repo"}]
    )
    world.create("paused", auto_rotate=HOURLY)
    tokens.revoke_all(world.runtime, world.admin, suspended.id)
    account_life.delete_account(world.runtime, world.admin, deleted.id)
    (paused,) = world.rows(VirtualAccount, VirtualAccount.name == "paused")
    account_life.pause_account(world.runtime, world.admin, paused.id)
    world.clock.pass_(days=2)

    ahead = look_ahead(world.runtime, world.admin, Narrowing())
    done = turn(world)

    assert (ahead.accounts, [one.turned for one in done]) == (1, [1])
    assert {name for name, generation in generations(world).items() if generation == 2} == {
        "paused"
    }
    assert world.fresh(suspended).state is AccountState.SUSPENDED
    assert world.fresh(paused).due_at is None


def test_an_account_that_cannot_be_turned_is_named_and_stops_no_other(world: World):
    for name in ("bot-1", "bot-2", "bot-3"):
        world.create(name, auto_rotate=HOURLY)
    with world.runtime.database.writing() as session:
        account = session.query(VirtualAccount).filter_by(name="bot-2").one()
        account.rotation_interval, account.rotation_schedule = None, "never"
    world.clock.pass_(minutes=1)

    (done,) = turn(world)

    assert (done.turned, done.failed) == (2, ("bot-2",))
    assert generations(world) == {"bot-1": 2, "bot-2": 1, "bot-3": 2}
    assert len(world.rows(TokenRow)) == 5


def test_it_needs_managing_all_accounts(world: World):
    nobody = replace(world.admin, permits=NOTHING)

    with pytest.raises(Forbidden, match="virtual-account:manage on the tenant"):
        look_ahead(world.runtime, nobody, Narrowing())
    with pytest.raises(Forbidden, match="virtual-account:manage on the tenant"):
        list(turn_all(world.runtime, nobody, Narrowing(), before=world.clock.now()))


def test_nothing_is_told_or_sent_before_it_is_turned(world: World):
    fqn, _ = world.store()
    world.create(secret_store_config=stored(fqn))
    world.clock.pass_(minutes=1)
    before = len(world.rows(Delivery))

    look_ahead(world.runtime, world.admin, Narrowing())

    assert len(world.rows(Delivery)) == before
