"""keyturn audit list, export and verify."""

import json
from typing import Any

import pytest
from sqlalchemy import delete, update

from models import AuditRow
from services.audit.audit_chain import chain_due
from tests.support.command import Keyturn
from tests.support.world import World


def tamper(world: World, statement: Any) -> None:
    with world.runtime.database.writing() as session:
        session.execute(statement)


@pytest.fixture
def three(world: World) -> World:
    """Three accounts were created, and nothing else is told."""
    tamper(world, delete(AuditRow))
    for number in range(3):
        world.create(f"bot-{number}")
    return world


def exported(keyturn: Keyturn, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in keyturn.said("audit", "export", *words).splitlines()]


def test_what_was_done_is_listed_the_newest_first(keyturn: Keyturn, three: World):
    listed = keyturn.json("audit", "list")
    said = keyturn.said("audit", "list", "--limit", "2")

    assert [row["subjectName"] for row in listed] == ["bot-2", "bot-1", "bot-0"]
    assert "virtual-account.created" in said
    assert "virtual-account bot-2" in said
    assert "bot-0" not in said
    assert "2 of 3 rows" in said


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--subject", "bot-1"), 1),
        (("--subject", "virtual-account:bot-1"), 1),
        (("--action", "virtual-account"), 3),
        (("--action", "virtual"), 0),
        (("--actor", "tester"), 3),
        (("--actor", "nobody"), 0),
        (("--since", "1h"), 3),
        (("--since", "2020-01-01"), 3),
        (("--since", "2020-01-01T00:00:00+02:00"), 3),
        (("--since", "9999-01-01T00:00Z"), 0),
    ],
)
def test_rows_are_filtered_alike_in_list_and_export(
    keyturn: Keyturn, three: World, words: tuple[str, str], found: int
):
    assert len(keyturn.json("audit", "list", *words)) == found
    assert len(exported(keyturn, *words)) == found


@pytest.mark.parametrize("since", ["soon", "2026-13-01", "-1d", ""])
def test_a_time_that_is_none_is_refused(keyturn: Keyturn, since: str):
    said = keyturn.refused("audit", "list", f"--since={since}", code=1)

    assert "--since: give a length of time like 7d" in said


def test_the_export_is_the_chain_and_goes_on_where_the_last_one_ended(
    keyturn: Keyturn, three: World
):
    first = exported(keyturn)
    three.create("later")
    second = exported(keyturn, "--after", str(first[-1]["number"]))

    assert [row["number"] for row in first] == [1, 2, 3]
    assert [row["subjectName"] for row in first] == ["bot-0", "bot-1", "bot-2"]
    assert [(row["number"], row["subjectName"]) for row in second] == [(4, "later")]


def test_a_whole_chain_is_verified_with_exit_code_0(keyturn: Keyturn, three: World):
    chain_due(three.runtime)
    three.create("later")

    found = keyturn.json("audit", "verify")
    said = keyturn.said("audit", "verify")

    assert (found["ok"], found["checked"], found["unchained"]) == (True, 3, 1)
    assert found["head"]["number"] == 3
    assert "The chain is whole: 3 rows, up to number 3." in said
    assert "1 rows are not chained yet" in said
    assert found["head"]["hash"] in said


def test_a_broken_chain_is_named_with_exit_code_1(keyturn: Keyturn, three: World):
    chain_due(three.runtime)
    tamper(three, update(AuditRow).where(AuditRow.number == 2).values(action="account.read"))

    for_people = keyturn("audit", "verify")
    for_machines = keyturn("audit", "verify", "--json")

    assert (for_people.code, for_machines.code) == (1, 1)
    assert for_people.out == "Row 2 is not what was chained.\n"
    found = json.loads(for_machines.out)
    assert (found["ok"], found["problem"], found["number"]) == (False, "changed", 2)


def test_a_log_without_rows_is_whole(keyturn: Keyturn, three: World):
    tamper(three, delete(AuditRow))

    assert keyturn.json("audit", "list") == []
    assert exported(keyturn) == []
    assert keyturn.json("audit", "verify")["ok"] is True
