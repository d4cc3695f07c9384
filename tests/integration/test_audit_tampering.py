"""What can be done to the audit log behind its back, and that it is found."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, text, update

from core.actors import Actor
from models import AuditChain, AuditRow
from models.audit import GENESIS
from services.audit.audit_chain import chain_due
from services.audit.audit_verifying import Problem
from tests.support.audit_rows import chained, neighbour, row_number, tamper, verdict, write
from tests.support.world import World, new_world

CHAINED = {"number", "hash"}
FIELDS = [name for name in AuditRow.__table__.columns.keys() if name not in CHAINED]  # noqa: SIM118

CHANGES: dict[str, Any] = {
    "id": uuid4(),
    "actor": {"kind": "user", "name": "somebody else"},
    "action": "thing.unchanged",
    "subject_type": "team",
    "subject_id": uuid4(),
    "subject_name": "another",
    "detail": {"before": {"größe": 1.6}, "after": ["ü", None, True]},
    "hash": bytes(32),
}


@pytest.fixture
def world(world: World) -> World:
    """Without the rows that making its tenant left."""
    tamper(world, delete(AuditRow))
    return world


@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_field_is_found(world: World, field: str):
    chained(world)

    tamper(world, update(AuditRow).where(row_number(3)).values({field: CHANGES[field]}))

    found = verdict(world)
    assert (found.problem, found.number, found.checked) == (Problem.CHANGED, 3, 2)


def test_every_column_is_changed_by_a_test():
    by_tests_of_their_own = {"tenant_id", "number", "at"}

    assert {*CHANGES} | by_tests_of_their_own == {*FIELDS} | CHAINED


def test_a_changed_moment_is_found_to_the_microsecond(world: World):
    at = chained(world)[2].at + timedelta(microseconds=1)

    tamper(world, update(AuditRow).where(row_number(3)).values(at=at))

    assert (verdict(world).problem, verdict(world).number) == (Problem.CHANGED, 3)


def test_an_emptied_field_is_found(world: World):
    chained(world)

    tamper(world, update(AuditRow).where(row_number(3)).values(subject_id=None))

    assert (verdict(world).problem, verdict(world).number) == (Problem.CHANGED, 3)


def test_a_row_that_is_given_to_another_tenant_is_missing_from_its_own(world: World):
    chained(world)
    other = neighbour(world)

    tamper(world, update(AuditRow).where(row_number(3)).values(tenant_id=other))

    assert (verdict(world).problem, verdict(world).number) == (Problem.MISSING, 3)


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_row_that_was_deleted_in_the_middle_is_missing(world: World, number: int):
    chained(world)

    tamper(world, delete(AuditRow).where(row_number(number)))

    assert (verdict(world).problem, verdict(world).number) == (Problem.MISSING, number)


def test_a_row_whose_number_was_taken_away_is_missing_even_when_it_is_chained_again(world: World):
    chained(world)
    tamper(world, update(AuditRow).where(row_number(3)).values(number=None, hash=None))

    before = verdict(world)
    chain_due(world.runtime)
    after = verdict(world)

    assert (before.problem, before.number, before.unchained) == (Problem.MISSING, 3, 1)
    assert (after.problem, after.number, after.unchained) == (Problem.MISSING, 3, 0)


def test_swapped_rows_are_found(world: World):
    chained(world)

    tamper(
        world,
        *(
            update(AuditRow).where(row_number(old)).values(number=new)
            for old, new in ((2, 99), (3, 2), (99, 3))
        ),
    )

    assert (verdict(world).problem, verdict(world).number) == (Problem.CHANGED, 2)


def test_swapped_rows_that_swapped_their_hashes_too_are_found(world: World):
    second, third = chained(world)[1:3]

    tamper(
        world,
        update(AuditRow).where(AuditRow.id == second.id).values(number=99),
        update(AuditRow).where(AuditRow.id == third.id).values(number=2, hash=second.hash),
        update(AuditRow).where(AuditRow.id == second.id).values(number=3, hash=third.hash),
    )

    assert (verdict(world).problem, verdict(world).number) == (Problem.CHANGED, 2)


@pytest.mark.parametrize("kept", [0, 4, 3])
def test_a_tail_that_was_cut_off_does_not_fit_the_head(world: World, kept: int):
    chained(world)

    tamper(world, delete(AuditRow).where(AuditRow.number > kept))

    found = verdict(world)
    assert (found.problem, found.number, found.checked) == (Problem.HEAD, 5, kept)


def test_a_head_that_was_set_back_does_not_fit_its_rows(world: World):
    fourth = chained(world)[3]

    tamper(world, update(AuditChain).values(number=4, hash=fourth.hash))

    assert (verdict(world).problem, verdict(world).number) == (Problem.HEAD, 4)


def test_a_head_with_another_hash_is_found(world: World):
    chained(world)

    tamper(world, update(AuditChain).values(hash=GENESIS))

    assert (verdict(world).problem, verdict(world).number) == (Problem.HEAD, 5)


def test_a_chain_that_was_thrown_away_is_found_and_other_tenants_go_on(world: World):
    chained(world)
    other = neighbour(world)
    tamper(world, delete(AuditChain).where(AuditChain.tenant_id == world.tenant_id))
    write(world, 2)
    write(world, 2, Actor.operator(other, "neighbour"))

    done = chain_due(world.runtime)

    assert done == 2
    assert verdict(world).problem is Problem.HEAD
    assert verdict(world).unchained == 2


@pytest.mark.parametrize("field", ["actor", "detail", "at", "subject_id"])
def test_a_row_that_cannot_even_be_read_is_a_changed_one(tmp_path: Path, field: str):
    """On SQLite, where a column holds whatever is written into it."""
    with new_world(f"sqlite:///{tmp_path / 'keyturn.db'}", tmp_path / "files") as world:
        tamper(world, delete(AuditRow))
        chained(world)
        tamper(world, text(f"UPDATE audit SET {field} = '{{nonsense' WHERE number = 3"))

        found = verdict(world, batch=10)

    assert (found.problem, found.number, found.checked) == (Problem.CHANGED, 3, 2)
