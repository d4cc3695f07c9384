"""How the audit log is chained, by many at once too."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, text

from core.actors import Actor, ActorKind
from core.errors import Forbidden
from models import AuditChain, AuditRow
from services.audit.audit_chain import chain_batch, chain_due, record_of
from services.audit.audit_log import Wanted, export_audit, list_audit
from services.audit.audit_verifying import verify_chain
from services.operation.bootstrap import ensure_tenant
from services.operation.pulse import Pulse
from services.outbox import Outbox
from tests.support.audit_rows import (
    chained,
    head,
    neighbour,
    rows,
    tamper,
    verdict,
    write,
)
from tests.support.world import LIMITS, World, new_world
from workers.crew import Crew
from workers.pacemaker import Pacemaker

CHAINED = {"number", "hash"}
FIELDS = [name for name in AuditRow.__table__.columns.keys() if name not in CHAINED]  # noqa: SIM118


@pytest.fixture
def world(world: World) -> World:
    """Without the rows that making its tenant left."""
    tamper(world, delete(AuditRow))
    return world


def test_a_use_case_leaves_its_row_unchained_and_the_tick_chains_it(world: World):
    write(world, 3)
    before = [(row.number, row.hash) for row in rows(world)]

    done = [chain_due(world.runtime), chain_due(world.runtime)]

    assert before == [(None, None)] * 3
    assert done == [3, 0]
    assert [row.number for row in rows(world)] == [1, 2, 3]
    assert (head(world).number, head(world).hash) == (3, rows(world)[-1].hash)
    assert verdict(world).ok


def test_anybody_can_compute_the_hashes_from_an_export(world: World):
    chained(world, 4)

    exported = [
        json.loads(json.dumps(record))
        for batch in export_audit(world.runtime, world.admin, Wanted())
        for record in batch
    ]

    previous = "0" * 64
    for record in exported:
        number, given = record.pop("number"), record.pop("hash")
        written = json.dumps(record, sort_keys=True, separators=(",", ":"))
        previous = hashlib.sha256(f"{previous} {number} {written}".encode()).hexdigest()
        assert previous == given
    assert len(exported) == 4


def test_an_export_is_read_in_batches_and_ends_where_the_chain_ended_when_it_began(world: World):
    chained(world)

    export = export_audit(world.runtime, world.admin, Wanted(action="thing"), batch=2)
    chained(world, 3)

    assert [[record["number"] for record in batch] for batch in export] == [[1, 2], [3, 4], [5]]


def test_every_column_of_a_row_is_part_of_its_hash(world: World):
    row = chained(world, 1)[0]

    assert len(record_of(row)) == len(FIELDS)


def test_rows_are_chained_in_batches_and_of_every_tenant(world: World):
    other = neighbour(world)
    write(world, 5)
    write(world, 3, Actor.operator(other, "neighbour"))

    first = chain_batch(world.runtime, world.tenant_id, limit=2)
    rest = chain_due(world.runtime)

    theirs = world.rows(AuditRow, AuditRow.tenant_id == other)
    assert (first, rest) == (2, 6)
    assert sorted(row.number for row in theirs) == [1, 2, 3]
    assert [row.number for row in rows(world)] == [1, 2, 3, 4, 5]
    assert verdict(world).ok


def test_a_tenant_without_a_chain_gets_one_when_it_is_needed(world: World):
    write(world, 2)
    tamper(world, delete(AuditChain))

    unmade = verdict(world)
    chain_due(world.runtime)

    assert (unmade.ok, unmade.unchained) == (True, 2)
    assert head(world).number == 2
    assert verdict(world).ok


def test_rows_that_are_not_chained_yet_are_counted(world: World):
    chained(world, 3)
    write(world, 2)

    found = verdict(world)

    assert (found.ok, found.checked, found.unchained) == (True, 3, 2)


def test_an_idle_tick_is_one_look_and_writes_nothing(world: World):
    for number in range(5):
        name = f"tenant-{number}"
        ensure_tenant(world.runtime, name, limits=LIMITS, admin_email="a@example.com")
    chain_due(world.runtime)
    said: list[str] = []
    event.listen(world.runtime.database.engine, "before_cursor_execute", _into(said))

    chain_due(world.runtime)

    assert len(said) == 1
    assert said[0].startswith("SELECT")


def _into(said: list[str]) -> Callable[..., None]:
    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            said.append(statement)

    return note


def test_only_an_admin_verifies_lists_and_exports(world: World):
    nobody = Actor(world.tenant_id, ActorKind.USER, "user@example.com")

    for act in (
        lambda: list(verify_chain(world.runtime, nobody)),
        lambda: list_audit(world.runtime, nobody, Wanted(), limit=1),
        lambda: export_audit(world.runtime, nobody, Wanted()),
    ):
        with pytest.raises(Forbidden):
            act()


def test_a_worker_chains_on_its_tick_and_prunes_while_it_trusts_the_clock(world: World):
    crew = Crew(world.runtime, Pulse(world.runtime, "worker"))
    write(world, 2)

    crew.chain()
    world.clock.pass_(days=401)
    crew.prune()

    assert (head(world).number, head(world).anchor_number) == (2, 2)


def test_a_worker_that_hears_no_tick_chains_by_itself(world: World):
    write(world, 2)
    crew = Crew(world.runtime, Pulse(world.runtime, "worker"))

    with ThreadPoolExecutor(1) as pool:
        Pacemaker(crew)._tick(pool)

    assert head(world).number == 2


@pytest.fixture
def busy(postgres_url: str, tmp_path: Path) -> Iterator[World]:
    """On PostgreSQL, where writers really run side by side."""
    with new_world(postgres_url, tmp_path / "files") as made:
        tamper(made, delete(AuditRow))
        yield made


def test_rows_of_racing_use_cases_are_chained_exactly_once_by_racing_chainers(busy: World):
    writers, chainers, each = 4, 4, 40
    gate = threading.Barrier(writers + chainers)
    written = threading.Event()

    def writes() -> None:
        gate.wait(10)
        write(busy, each)

    def chains() -> int:
        gate.wait(10)
        done = 0
        while not written.is_set():
            done += chain_batch(busy.runtime, busy.tenant_id, limit=7)
        return done

    with ThreadPoolExecutor(writers + chainers) as pool:
        chaining = [pool.submit(chains) for _ in range(chainers)]
        writing = [pool.submit(writes) for _ in range(writers)]
        for one in writing:
            one.result(60)
        written.set()
        done = sum(one.result(60) for one in chaining)
    done += chain_due(busy.runtime)

    assert done == writers * each
    assert [row.number for row in rows(busy)] == list(range(1, writers * each + 1))
    assert verdict(busy, batch=50).ok


def test_a_use_case_does_not_wait_for_whoever_chains(busy: World):
    with busy.runtime.database.writing() as session:
        session.execute(text("SET LOCAL lock_timeout = 1000"))
        session.execute(text("SELECT 1 FROM audit_chains FOR UPDATE"))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write, busy, 3).result(5)
            meanwhile = pool.submit(chain_due, busy.runtime).result(5)

    assert meanwhile == 0
    assert chain_due(busy.runtime) == 3


def test_a_row_that_commits_late_gets_a_later_number(busy: World):
    late = threading.Event()
    under_way = threading.Event()

    def slow(_session: Any, outbox: Outbox) -> None:
        outbox.audit(busy.admin, "late", subject_type="x", subject_id=None, subject_name="x")
        outbox.flush(_session)
        outbox._audit.clear()  # it is written; now the commit is late
        under_way.set()
        late.wait(10)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(busy.runtime.change, slow)
        under_way.wait(10)
        busy.clock.pass_(seconds=1)
        write(busy, 2)
        first = chain_due(busy.runtime)
        late.set()
        future.result(10)
    second = chain_due(busy.runtime)

    assert (first, second) == (2, 1)
    assert [row.action for row in rows(busy)] == ["thing.changed", "thing.changed", "late"]
    assert [b.at < a.at for a, b in pairwise(rows(busy))] == [False, True]
    assert verdict(busy).ok


def test_chaining_and_looking_for_work_use_the_partial_index(busy: World):
    write(busy, 2)
    with busy.runtime.database.writing() as session:
        session.execute(
            text(
                "INSERT INTO audit (id, tenant_id, at, actor, action, subject_type, subject_name,"
                " detail, number, hash)"
                " SELECT gen_random_uuid(), :tenant, now(), '{}', 'x', 'x', 'x', '{}', n, ''"
                " FROM generate_series(1000, 30000) AS n"
            ),
            {"tenant": busy.tenant_id},
        )
    with busy.runtime.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE audit"))
        plan = "\n".join(
            connection.execute(
                text(
                    "EXPLAIN SELECT tenant_id FROM audit WHERE number IS NULL"
                    " ORDER BY tenant_id LIMIT 1"
                )
            ).scalars()
        )

    assert "ix_audit_unchained" in plan
