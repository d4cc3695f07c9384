"""How audit rows go, and walks over a chain that changes meanwhile."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from models import AuditRow
from models.audit import GENESIS
from services.audit.audit_chain import chain_due
from services.audit.audit_pruning import prune_due
from services.audit.audit_verifying import Problem, verify_chain
from tests.support.audit_rows import chained, head, row_number, rows, tamper, verdict, write
from tests.support.world import World, new_world


@pytest.fixture
def world(world: World) -> World:
    """Without the rows that making its tenant left."""
    tamper(world, delete(AuditRow))
    return world


def test_rows_past_their_retention_go_and_what_is_left_still_verifies(world: World):
    old = chained(world, 3)
    world.clock.pass_(days=300)
    write(world, 2)
    chain_due(world.runtime)
    world.clock.pass_(days=101)

    gone = [prune_due(world.runtime), prune_due(world.runtime)]

    found = verdict(world)
    assert gone == [3, 0]
    assert (head(world).anchor_number, head(world).anchor_hash) == (3, old[-1].hash)
    assert [row.number for row in rows(world)] == [4, 5]
    assert (found.ok, found.checked, found.anchor_number) == (True, 2, 3)


def test_a_chain_whose_rows_are_all_pruned_verifies_and_goes_on(world: World):
    chained(world, 3)
    world.clock.pass_(days=401)
    prune_due(world.runtime)

    empty = verdict(world)
    write(world, 2)
    chain_due(world.runtime)

    assert (empty.ok, empty.checked) == (True, 0)
    assert [row.number for row in rows(world)] == [4, 5]
    assert verdict(world).ok


def test_rows_that_are_not_chained_are_never_pruned(world: World):
    write(world, 3)
    world.clock.pass_(days=500)

    gone = prune_due(world.runtime)

    assert gone == 0
    assert len(rows(world)) == 3


def test_rows_go_in_their_order_even_if_a_later_one_is_older(world: World):
    chained(world, 1)
    world.clock.pass_(days=-10)
    write(world, 1)
    chain_due(world.runtime)
    world.clock.pass_(days=405)

    gone = prune_due(world.runtime)

    assert gone == 0
    assert [row.number for row in rows(world)] == [1, 2]


def test_the_retention_is_a_setting(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with new_world(url, tmp_path / "files", audit_retention="30d") as world:
        tamper(world, delete(AuditRow))
        chained(world, 2)
        world.clock.pass_(days=31)

        assert prune_due(world.runtime) == 2


@pytest.mark.parametrize(
    "done",
    [
        update(AuditRow).where(row_number(3)).values(action="thing.unchanged"),
        delete(AuditRow).where(row_number(3)),
    ],
    ids=["changed", "deleted"],
)
def test_pruning_stops_before_what_somebody_changed(world: World, done: Any):
    chained(world)
    tamper(world, done)
    world.clock.pass_(days=401)

    gone = [prune_due(world.runtime), prune_due(world.runtime)]

    assert gone == [2, 0]
    assert verdict(world).number == 3


def test_a_pruned_chain_shows_what_is_changed_at_its_beginning(world: World):
    first = chained(world, 3)[0]
    world.clock.pass_(days=300)
    write(world, 2)
    chain_due(world.runtime)
    world.clock.pass_(days=101)
    prune_due(world.runtime)

    tamper(world, delete(AuditRow).where(row_number(4)))
    deleted = verdict(world)
    tamper(world, update(AuditRow).where(row_number(5)).values(number=2, hash=first.hash))
    moved_down = verdict(world)

    assert (deleted.problem, deleted.number) == (Problem.MISSING, 4)
    assert not moved_down.ok


def test_a_row_before_the_anchor_does_not_belong_there(world: World):
    chained(world, 2)
    world.clock.pass_(days=401)
    prune_due(world.runtime)
    write(world, 2)
    chain_due(world.runtime)

    write(world)
    tamper(world, update(AuditRow).where(AuditRow.number.is_(None)).values(number=1, hash=GENESIS))

    assert (verdict(world).problem, verdict(world).number) == (Problem.STRAY, 1)


def test_rows_that_are_pruned_during_a_walk_are_not_missed(world: World):
    chained(world, 3)
    world.clock.pass_(days=300)
    write(world, 3)
    chain_due(world.runtime)
    world.clock.pass_(days=101)

    walk = verify_chain(world.runtime, world.admin, batch=2)
    next(walk)
    prune_due(world.runtime)
    found = list(walk)[-1]

    assert (found.ok, found.checked) == (True, 5)


def test_everything_that_is_pruned_during_a_walk_is_not_missed(world: World):
    chained(world, 6)
    world.clock.pass_(days=401)

    walk = verify_chain(world.runtime, world.admin, batch=2)
    next(walk)
    prune_due(world.runtime)
    found = list(walk)[-1]

    assert (found.ok, found.checked) == (True, 2)


def test_rows_that_are_chained_during_a_walk_are_left_to_the_next(world: World):
    chained(world, 4)

    walk = verify_chain(world.runtime, world.admin, batch=2)
    next(walk)
    write(world, 3)
    chain_due(world.runtime)
    found = list(walk)[-1]

    assert (found.ok, found.checked) == (True, 4)
