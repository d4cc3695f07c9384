"""Many at once. PostgreSQL only, where writers really run side by side."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from core.errors import Transient
from models import TokenRow, TokenState
from services.engine import expiry, rotation, tokens
from services.engine.turning import Cause, turn_keys
from services.notices import reminding, standing_in
from services.outbox import Outbox
from tests.support.telling import tenant_tells
from tests.support.world import HOURLY, World, new_world, stored, told_by


@pytest.fixture
def world(postgres_url: str, tmp_path: Path) -> Iterator[World]:
    with new_world(postgres_url, tmp_path / "files") as made:
        yield made


def together(times: int, act: Callable[[], Any]) -> list[Any]:
    """Runs `act` in `times` threads that start at the same moment."""
    gate = threading.Barrier(times)

    def run(_: int) -> Any:
        gate.wait(10)
        return act()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


@pytest.mark.law(8)
def test_schedulers_that_race_rotate_each_account_once(world: World):
    for number in range(60):
        world.create(f"bot-{number:02}", auto_rotate=HOURLY)
    world.clock.pass_(hours=1)

    done = together(6, lambda: rotation.rotate_due(world.runtime, limit=20))
    done += [rotation.rotate_due(world.runtime) for _ in range(2)]

    with world.runtime.database.reading() as session:
        per_account = session.scalars(
            select(func.count()).select_from(TokenRow).group_by(TokenRow.account_id)
        ).all()
    assert sum(one.turned for one in done) == 60
    assert sum(one.claimed for one in done) == 60
    assert set(per_account) == {2}


@pytest.mark.law(14)
def test_rotations_by_hand_that_race_leave_one_current_token_and_every_deadline(world: World):
    account, _ = world.create(auto_rotate=HOURLY)

    together(8, lambda: tokens.rotate_account(world.runtime, world.admin, account.id))

    rows = world.tokens(account)
    assert [row.generation for row in rows] == list(range(1, 10))
    assert [row.state for row in rows].count(TokenState.CURRENT) == 1
    assert all(row.valid_until >= row.grace_until for row in rows[:-1])


@pytest.mark.law(14)
def test_an_account_that_somebody_holds_is_left_to_the_next_tick(world: World):
    account, _ = world.create("held", auto_rotate=HOURLY)
    world.create("free", auto_rotate=HOURLY)
    world.clock.pass_(hours=1)

    with world.runtime.database.writing() as session:
        session.execute(
            text("SELECT id FROM virtual_accounts WHERE id = :id FOR NO KEY UPDATE"),
            {"id": account.id},
        )
        during = rotation.rotate_due(world.runtime)
    after = rotation.rotate_due(world.runtime)

    assert (during.turned, after.turned) == (1, 1)


def test_a_row_that_only_refers_to_an_account_does_not_hide_it_from_rotation(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    world.clock.pass_(hours=1)

    with world.runtime.database.writing() as session:
        session.execute(
            text("SELECT id FROM virtual_accounts WHERE id = :id FOR KEY SHARE"),
            {"id": account.id},
        )
        during = rotation.rotate_due(world.runtime)

    assert during.turned == 1


@pytest.mark.law(8)
def test_sweeps_that_race_tell_each_ending_once(world: World):
    for number in range(20):
        world.create(f"bot-{number:02}", auto_rotate=HOURLY)
    world.clock.pass_(hours=1)
    world.rotate()
    world.clock.pass_(minutes=10)

    together(5, lambda: expiry.expire_due(world.runtime))
    expiry.expire_due(world.runtime)

    assert len(world.told("token.expired")) == 20


@pytest.mark.law(11)
def test_drains_that_race_send_every_copy_once(world: World):
    fqn, store = world.store(concurrency=8)
    for number in range(40):
        world.create(f"bot-{number:02}", secret_store_config=stored(fqn, f"bots/{number}"))

    together(5, world.drain)

    assert len(store.puts) == 40
    assert store.most_under_way <= 8


def test_rotating_while_draining_and_expiring_never_fails(world: World):
    fqn, store = world.store(concurrency=8)
    ids = [
        world.create(f"bot-{n}", auto_rotate=HOURLY, secret_store_config=stored(fqn, f"b/{n}"))[
            0
        ].id
        for n in range(10)
    ]

    def turn() -> None:
        for account in ids:
            tokens.rotate_account(world.runtime, world.admin, account)

    with ThreadPoolExecutor(6) as pool:
        acts = [turn, turn, world.drain, world.drain, world.expire, world.tell]
        for future in [pool.submit(act) for act in acts]:
            future.result(60)
    for _ in range(5):
        world.clock.pass_(minutes=2)
        world.drain()

    assert {mark.revision for mark, _ in store.held.values()} == {3}
    assert {place.confirmed_generation for place in world.places()} == {3}


def test_a_deadlock_is_repeated_not_reported(world: World):
    one, _ = world.create("one")
    two, _ = world.create("two")
    first, second = sorted([one.id, two.id])
    meet = threading.Barrier(2)

    def lock(order: list[Any]) -> Callable[[Any, Outbox], None]:
        met = []

        def use_case(session: Any, outbox: Outbox) -> None:
            for account in order:
                session.execute(
                    text("SELECT id FROM virtual_accounts WHERE id = :id FOR UPDATE"),
                    {"id": account},
                )
                if not met:
                    met.append(True)
                    meet.wait(10)

        return use_case

    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(world.runtime.change, lock([first, second])),
            pool.submit(world.runtime.change, lock([second, first])),
        ]
        answers = [future.result(30) for future in futures]

    assert answers == [None, None]


@pytest.mark.law(3)
def test_a_process_that_dies_before_its_commit_leaves_the_old_token_alone(world: World):
    account, old = world.create(auto_rotate=HOURLY)

    class Killed(BaseException):
        """Stands for kill -9: nothing after it runs."""

    def dies(session: Any, outbox: Outbox) -> None:
        held = session.get_one(type(account), (account.id, account.tenant_id))
        turn_keys(
            session,
            [held],
            outbox,
            cause=Cause.MANUAL,
            actor=world.admin,
            keyring=world.runtime.keyring,
        )
        outbox.flush(session)
        raise Killed

    with pytest.raises(Killed):
        world.runtime.change(dies)

    assert world.works(old)
    assert len(world.tokens(account)) == 1
    assert world.told("token.rotated") == []


@pytest.mark.law(8)
def test_sweeps_of_two_dead_channels_that_race_tell_their_stand_in_once(world: World):
    (one, away), (two, gone), (ops, heard) = (world.channel(name) for name in ("one", "two", "ops"))
    away.always = gone.always = Transient("away")
    tenant_tells(world, told_by(ops))
    for number in range(20):
        targets = [told_by(one), told_by(two)]
        world.create(f"bot-{number:02}", auto_rotate=HOURLY, notification_targets=targets)
    world.clock.pass_(hours=1)
    world.rotate()
    for _ in range(8):
        world.drain()
        world.clock.pass_(minutes=10)

    together(4, lambda: standing_in.pass_on_due(world.runtime))
    world.drain()

    told = [notice.facts["account"] for digest, _ in heard.digests for notice in digest.notices]
    told += [notice.facts["account"] for notice, _ in heard.notices]
    assert sorted(told) == [f"bot-{number:02}" for number in range(20)]


@pytest.mark.law(8)
def test_sweeps_that_race_remind_of_each_rotation_once(world: World):
    for number in range(40):
        world.create(f"bot-{number:02}", auto_rotate={"interval": "30d", "grace": "1d"})
    world.clock.pass_(days=23)

    done = together(6, lambda: reminding.remind_due(world.runtime, limit=20))
    done += [reminding.remind_due(world.runtime) for _ in range(3)]

    assert sum(done) == 40
    assert len(world.told("rotation.upcoming")) == 40
