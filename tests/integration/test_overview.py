from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import event

from core.actors import Actor
from core.errors import DestinationRefused, PlaceRefused, Transient
from core.roles import NOTHING
from models import VirtualAccount
from services.accounts import account_life
from services.accounts.accounts import put_account
from services.engine.rotation_calendar import calendar
from services.operation.bootstrap import ensure_tenant
from services.verify.use_counting import UseCounter
from services.watching.overview import overview
from services.watching.troubles import TroubleKind
from tests.support.world import HOURLY, LIMITS, World, stored


def reader(world: World) -> Actor:
    """Somebody of the tenant who may read nothing."""
    return replace(world.admin, permits=NOTHING)


def kinds(world: World, actor: Actor | None = None) -> list[TroubleKind]:
    found = overview(world.runtime, actor or world.admin)
    return [trouble.kind for trouble in found.troubles]


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []
    engine = world.runtime.database.engine

    def note(_connection, _cursor, statement, *_rest):
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def test_it_tells_what_rotated_today_and_what_is_due(world: World):
    world.create("hourly", auto_rotate=HOURLY)
    world.create("later", auto_rotate={"interval": "3d", "grace": "1h"})
    world.create("by-hand")
    for _ in range(2):
        world.clock.pass_(hours=1)
        world.rotate()

    found = overview(world.runtime, world.admin)

    assert (found.rotated.number, found.due.number) == (2, 1)
    assert [(one.name, one.generation) for one in found.last[:2]] == [("hourly", 3), ("hourly", 2)]
    assert [one.name for one in found.next] == ["hourly", "later"]
    world.clock.pass_(days=1)
    assert overview(world.runtime, world.admin).rotated.number == 0


def test_it_tells_who_still_uses_an_old_token(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    world.clock.pass_(hours=1)
    world.rotate()
    uses = UseCounter(world.runtime)
    uses.count(world.tokens(account)[0].id, "10.0.0.1", "curl", "verify")
    uses.flush()

    (found,) = overview(world.runtime, world.admin).stragglers

    assert (found.name, found.generation, found.count) == ("ci-bot", 1, 1)
    world.clock.pass_(minutes=11)
    assert overview(world.runtime, world.admin).stragglers == []


def test_a_store_that_refuses_one_place_is_told_with_its_words(world: World):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("permission denied")
    world.create(secret_store_config=stored(fqn))
    world.drain()

    (found,) = overview(world.runtime, world.admin).troubles

    assert (found.kind, found.name) == (TroubleKind.PLACE_REFUSED, "ci-bot")
    assert (found.where, found.said) == ("vault: ci/token", "permission denied")


def test_a_paused_lane_comes_before_what_it_keeps_waiting(world: World):
    fqn, store = world.store()
    world.create("kept", auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    store.always = DestinationRefused("wrong password")
    world.clock.pass_(hours=1)
    world.rotate()
    for _ in range(5):
        world.drain()
        world.clock.pass_(minutes=3)

    assert kinds(world)[0] is TroubleKind.LANE_PAUSED
    world.clock.pass_(minutes=20)
    assert TroubleKind.HELD in kinds(world)
    world.clock.pass_(minutes=30)
    world.rotate()
    assert TroubleKind.WAITING in kinds(world)


def test_a_silent_store_is_told_as_a_warning(world: World):
    fqn, store = world.store()
    store.always = Transient("connection refused")
    world.create(secret_store_config=stored(fqn))
    for _ in range(6):
        world.drain()
        world.clock.pass_(minutes=5)

    assert kinds(world) == [TroubleKind.LANE_SILENT]


def test_whoever_may_read_nothing_sees_nothing(world: World):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("permission denied")
    world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()

    found = overview(world.runtime, reader(world))

    assert (found.rotated.number, found.due.number) == (0, 0)
    assert (found.last, found.next, found.troubles, found.stragglers) == ([], [], [], [])
    assert sum(calendar(world.runtime, reader(world)).values()) == 0


def test_another_tenant_is_not_in_it(world: World):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    theirs = Actor.operator(other, "them")
    put_account(world.runtime, theirs, {"name": "their-bot", "auto_rotate": HOURLY})

    found = overview(world.runtime, world.admin)

    assert (found.rotated.number, found.next) == (0, [])
    assert sum(calendar(world.runtime, world.admin).values()) == 0
    assert [one.name for one in overview(world.runtime, theirs).next] == ["their-bot"]


def test_it_asks_as_much_of_many_accounts_as_of_few(world: World):
    def asked() -> int:
        with counted(world) as sent:
            overview(world.runtime, world.admin)
            calendar(world.runtime, world.admin)
        return len([one for one in sent if one.lstrip().upper().startswith("SELECT")])

    world.create("first", auto_rotate=HOURLY)
    few = asked()
    for number in range(12):
        world.create(f"bot-{number}", auto_rotate=HOURLY)

    assert asked() == few <= 13


@pytest.mark.parametrize(
    ("rotate", "expected"),
    [
        ({"interval": "1d", "grace": "1h"}, [0, 1, 1, 1, 1, 1]),
        ({"interval": "2d", "grace": "1h"}, [0, 0, 1, 0, 1, 0]),
        ({"interval": "6h", "grace": "1h"}, [2, 4, 4, 4, 4, 4]),
        ({"interval": "30m", "grace": "1m"}, [30, 48, 48, 48, 48, 48]),  # to the hour
        ({"schedule": "0 3 * * *", "grace": "1h"}, [0, 1, 1, 1, 1, 1]),
        ({"schedule": "0 12 * * FRI", "grace": "1h"}, [0, 0, 0, 0, 1, 0]),
    ],
)
def test_the_calendar_lays_each_rhythm_over_the_days(world: World, rotate, expected):
    world.create(auto_rotate=rotate)  # on Monday at nine

    found = calendar(world.runtime, world.admin, days=6)

    assert list(found) == [date(2026, 3, 2) + timedelta(days=n) for n in range(6)]
    assert list(found.values()) == expected


def test_the_calendar_counts_accounts_that_turn_alike_together(world: World):
    for number in range(5):
        world.create(f"bot-{number}", auto_rotate={"interval": "1d", "grace": "1h"})
    world.create("weekly", auto_rotate={"interval": "7d", "grace": "1h"})

    assert list(calendar(world.runtime, world.admin, days=8).values()) == [0, *[5] * 6, 6]


def test_the_calendar_leaves_out_what_is_paused_over_or_by_hand(world: World):
    paused, _ = world.create("paused", auto_rotate={"interval": "1d", "grace": "1h"})
    account_life.pause_account(world.runtime, world.admin, paused.id)
    world.create("by-hand")
    world.create(
        "ending", auto_rotate={"interval": "1d", "grace": "1h"}, expiration_date="2026-03-04"
    )

    assert list(calendar(world.runtime, world.admin, days=5).values()) == [0, 1, 1, 0, 0]


def test_what_is_overdue_counts_for_today_and_then_goes_on(world: World):
    world.create(auto_rotate={"interval": "1d", "grace": "1h"})
    world.clock.pass_(days=3)

    assert list(calendar(world.runtime, world.admin, days=3).values()) == [2, 1, 1]


def test_the_calendar_agrees_with_what_then_happens(world: World):
    for number, hours in enumerate((5, 7, 24, 36)):
        world.create(f"bot-{number}", auto_rotate={"interval": f"{hours}h", "grace": "1h"})
    planned = calendar(world.runtime, world.admin, days=4)

    happened = dict.fromkeys(planned, 0)
    for _ in range(4 * 24):
        before = {row.id: row.generation for row in world.rows(VirtualAccount)}
        day = world.clock.now().date()
        world.rotate()
        for row in world.rows(VirtualAccount):
            if day in happened:
                happened[day] += row.generation - before[row.id]
        world.clock.pass_(hours=1)

    assert {day: planned[day] for day in list(planned)[:3]} == {
        day: happened[day] for day in list(planned)[:3]
    }
