"""What will rotate when, and how long a destination needs for all its copies."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.actors import Actor
from core.errors import Forbidden, InvalidInput
from core.roles import NOTHING
from models import Integration
from services.accounts.account_life import delete_account, pause_account
from services.engine.floors import Floor
from services.engine.plan import Plan, count_scheduled, make_plan
from services.engine.tokens import revoke_all
from services.operation.bootstrap import ensure_tenant
from tests.support.manual_clock import START
from tests.support.world import HOURLY, LIMITS, World, stored

NOON = {"schedule": "0 12 * * *", "grace": "1h"}
MIDNIGHT = {"schedule": "0 0 * * *", "grace": "1h"}


def planned(world: World, actor: Actor | None = None, **how: Any) -> Plan:
    return list(make_plan(world.runtime, actor or world.admin, **how))[-1]


def test_rotations_are_counted_by_day(world: World):
    world.create("ci-bot", auto_rotate=HOURLY)

    plan = planned(world, days=1)

    assert plan.until == START + timedelta(days=1)
    assert plan.total == 24
    assert plan.by_day == {date(2026, 3, 2): 14, date(2026, 3, 3): 10}


def test_the_first_ones_of_all_accounts_are_named_in_their_order(world: World):
    world.create("ci-bot", auto_rotate=NOON)
    world.create("web-bot", auto_rotate=HOURLY)

    plan = planned(world, days=30, shown=4)

    assert [(coming.account, coming.at.hour) for coming in plan.first] == [
        ("web-bot", 10),
        ("web-bot", 11),
        ("ci-bot", 12),
        ("web-bot", 12),
    ]


def test_the_plan_grows_by_pages_and_the_last_one_is_whole(world: World):
    for number in range(5):
        world.create(f"bot-{number}", auto_rotate=NOON)

    totals = [plan.total for plan in make_plan(world.runtime, world.admin, days=1, page_size=2)]

    assert totals[-1] == 5
    assert count_scheduled(world.runtime, world.admin) == 5


def test_what_is_overdue_is_done_once_and_then_its_rhythm_goes_on(world: World):
    world.create("ci-bot", auto_rotate=HOURLY)
    world.clock.pass_(hours=3, minutes=30)

    plan = planned(world, days=1, shown=3)
    world.rotate()

    assert [coming.at - START for coming in plan.first] == [
        timedelta(hours=3, minutes=30),
        timedelta(hours=4),
        timedelta(hours=5),
    ]
    assert planned(world, days=1, shown=2).first == plan.first[1:]


def test_nothing_is_planned_from_the_end_of_an_account_on(world: World):
    world.create("ci-bot", auto_rotate=MIDNIGHT, expiration_date="2026-03-04")

    plan = planned(world, days=30)

    assert [coming.at for coming in plan.first] == [
        datetime(2026, 3, 3, tzinfo=UTC),
        datetime(2026, 3, 4, tzinfo=UTC),
    ]


def test_accounts_that_do_not_rotate_by_themselves_are_not_planned(world: World):
    world.create("by-hand")
    paused, suspended, deleted = (
        world.create(name, auto_rotate=HOURLY)[0] for name in ("paused", "suspended", "deleted")
    )
    pause_account(world.runtime, world.admin, paused.id)
    revoke_all(world.runtime, world.admin, suspended.id)
    delete_account(world.runtime, world.admin, deleted.id)

    plan = planned(world, days=30)

    assert (plan.total, plan.first) == (0, [])


def test_a_destination_with_a_rate_needs_its_copies_over_that_rate(world: World):
    slow, _ = world.store("slow", rate=0.5)
    free, _ = world.store("free")
    world.create("ci-bot", secret_store_configs=[stored(slow, "a"), stored(free, "a")])
    world.create("web-bot", secret_store_configs=[stored(slow, "b"), stored(slow, "c")])

    plan = planned(world, days=1)

    assert plan.floors == [
        Floor([free], copies=1, unwritten=1, per_second=None, calls=1.0, seconds=0.0),
        Floor([slow], copies=3, unwritten=3, per_second=0.5, calls=3.0, seconds=6.0),
    ]


def test_integrations_that_share_a_limit_share_the_least_time(world: World):
    one, _ = world.store("one", per_second=2, quota="account-1")
    two, _ = world.store("two", per_second=2, quota="account-1")
    other, _ = world.store("other", per_second=2, quota="account-2")
    for number in range(3):
        places = [stored(fqn, f"bots/{number}") for fqn in (one, two, other)]
        world.create(f"bot-{number}", secret_store_configs=places)
    world.drain()

    plan = planned(world, days=1)

    assert [(floor.integrations, floor.copies, floor.seconds) for floor in plan.floors] == [
        ([one, two], 6, 3.0),
        ([other], 3, 1.5),
    ]


def test_an_operators_own_rate_counts_instead_of_the_published_one(world: World):
    one, _ = world.store("one", per_second=2, quota="account-1", rate=0.5)
    two, _ = world.store("two", per_second=2, quota="account-1")
    world.create(secret_store_configs=[stored(one, "a"), stored(two, "a")])

    (floor,) = planned(world, days=1).floors

    assert (floor.per_second, floor.calls, floor.seconds) == (0.5, 2.0, 2.5)


def test_a_copy_that_is_new_to_its_store_costs_what_a_first_write_costs(world: World):
    fqn, _ = world.store(per_second=10, first_cost=3)
    world.create("old-bot", secret_store_config=stored(fqn, "a"))
    world.drain()
    world.create("new-bot", secret_store_config=stored(fqn, "b"))

    (floor,) = planned(world, days=1).floors

    assert (floor.copies, floor.unwritten, floor.calls, floor.seconds) == (2, 1, 4.0, 0.4)


def test_a_store_whose_credentials_are_lost_is_in_the_plan_all_the_same(world: World):
    fqn, _ = world.store(per_second=10, first_cost=3)
    world.create(secret_store_config=stored(fqn))
    with world.runtime.database.writing() as session:
        session.execute(update(Integration).values(sealed=b"", version=9))

    (floor,) = planned(world, days=1).floors

    assert (floor.copies, floor.calls) == (1, 1.0)


def test_a_plan_that_is_too_long_is_refused_before_it_is_made(world: World):
    world.create("ci-bot", auto_rotate={"interval": "1s", "grace": "1s"})

    with pytest.raises(InvalidInput, match="more than 1,000 rotations: give fewer days"):
        planned(world, days=366, most=1_000)


def test_a_plan_needs_reading_all_accounts(world: World):
    with pytest.raises(Forbidden, match="virtual-account:read on the tenant"):
        planned(world, days=1, actor=replace(world.admin, permits=NOTHING))


def test_a_copy_that_is_taken_away_needs_no_time(world: World):
    fqn, _ = world.store("slow", rate=0.5)
    world.create("ci-bot", secret_store_configs=[stored(fqn, "a"), stored(fqn, "b")])

    world.put("ci-bot", secret_store_configs=[stored(fqn, "b")])

    assert [floor.copies for floor in planned(world, days=1).floors] == [1]


def test_another_tenants_accounts_and_stores_are_not_in_the_plan(world: World):
    fqn, _ = world.store(rate=1.0)
    world.create("ci-bot", auto_rotate=HOURLY, secret_store_config=stored(fqn))
    other = ensure_tenant(world.runtime, "globex", limits=LIMITS, admin_email="bob@example.com")

    (plan,) = make_plan(world.runtime, Actor.operator(other, "tester"), days=30)

    assert (plan.total, plan.floors) == (0, [])
    assert count_scheduled(world.runtime, Actor.operator(other, "tester")) == 0
