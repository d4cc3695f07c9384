"""The fourteen laws: each has a test, and that test fails when the law is broken on purpose.

Each case breaks one line in a copy of the project and runs the law's test there.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAWS = range(1, 15)


@dataclass(frozen=True)
class Breach:
    """One law broken: `whole` in `file` becomes `broken`, and `test` must notice."""

    law: int
    file: str
    whole: str
    broken: str
    test: str


BREACHES = [
    Breach(
        1,
        "services/waking.py",
        ".values(wake_at=moment)",
        ".values(wake_at=Lane.wake_at)",
        "tests/integration/test_workers.py::test_losing_every_bell_loses_nothing[sqlite]",
    ),
    Breach(
        2,
        "services/delivery/draining.py",
        "        began = self.runtime.clock.elapsed()\n",
        "        held = self.runtime.database.engine.connect()\n"
        "        began = self.runtime.clock.elapsed()\n",
        "tests/integration/test_workers.py"
        "::test_no_transaction_is_open_while_a_store_is_written[sqlite]",
    ),
    Breach(
        3,
        "services/outbox.py",
        "        bulk.insert(session, Delivery, self._deliveries)\n",
        "",
        "tests/integration/test_rotation.py"
        "::test_a_rotation_writes_token_event_deliveries_and_audit_in_one_commit[sqlite]",
    ),
    Breach(
        4,
        "migrations/versions/0001_the_tables_of_the_rotation_engine.py",
        '        "uq_tokens_one_current",\n        "tokens",\n'
        '        ["account_id", "tenant_id"],\n        unique=True,\n',
        '        "uq_tokens_one_current",\n        "tokens",\n'
        '        ["account_id", "tenant_id"],\n        unique=False,\n',
        "tests/integration/test_rotation.py"
        "::test_the_database_refuses_a_second_current_token[sqlite]",
    ),
    Breach(
        5,
        "services/engine/turn_rows.py",
        "    bulk.insert(session, TokenRow, [_current(turn, now) for turn in turns])\n",
        "    bulk.insert(session, TokenRow, [_current(turn, now) for turn in turns])\n"
        "    session.execute(update(TokenRow).where(TokenRow.state == TokenState.GRACE)\n"
        "                    .values(grace_until=now, hold_until=now, valid_until=now))\n",
        "tests/integration/test_rotation.py"
        "::test_rotating_again_inside_a_grace_leaves_the_first_deadline_alone[sqlite]",
    ),
    Breach(
        6,
        "services/delivery/settling.py",
        "            tuple_(Delivery.id, Delivery.claim).in_(claims),\n",
        "",
        "tests/integration/test_lanes.py::test_one_who_lost_its_lease_settles_nothing[sqlite]",
    ),
    Breach(
        7,
        "core/policy.py",
        "        if not held:\n",
        "        if held or not held:\n",
        "tests/integration/test_holds.py"
        "::test_an_old_token_outlives_its_grace_while_a_required_place_lacks_the_new_one[sqlite]",
    ),
    Breach(
        8,
        "core/policy.py",
        "            steps = max((now - previous) // self.interval, 0) + 1\n",
        "            steps = 1\n",
        "tests/integration/test_rotation.py"
        "::test_a_long_outage_costs_one_rotation_and_then_the_schedule_goes_on[sqlite]",
    ),
    Breach(
        9,
        "core/tokens.py",
        'return f"Token({self._text[:8]}…{self.last_four})"',
        'return f"Token({self._text})"',
        "tests/unit/test_tokens.py",
    ),
    Breach(
        10,
        "services/delivery/sending.py",
        "        return Outcome(claimed, Result.PLACE_REFUSED, _said(error))\n",
        "        return Outcome(claimed, Result.DESTINATION_REFUSED, _said(error))\n",
        "tests/integration/test_lanes.py"
        "::test_a_refused_place_fails_alone_tells_its_owner_and_the_lane_goes_on[sqlite]",
    ),
    Breach(
        11,
        "services/delivery/claiming.py",
        "    return timedelta(seconds=(lane.cost if cost is None else cost) / lane.per_second)\n",
        "    return timedelta(0)\n",
        "tests/integration/test_lanes.py"
        "::test_no_second_sees_more_than_the_published_limit[sqlite]",
    ),
    Breach(
        12,
        "services/scope.py",
        "    row = session.get(model, (_uuid(row_id, what), tenant_id))\n",
        "    row = session.scalar(select(model).where(model.id == _uuid(row_id, what)))\n",
        "tests/api/test_access.py"
        "::test_another_tenants_thing_is_as_if_it_were_not_there_and_is_not_touched"
        "[GET /api/svc/v1/virtual-accounts/{account_id}]",
    ),
    Breach(
        13,
        "services/operation/pulse.py",
        "        return until is None or until <= self._runtime.now()\n",
        "        return True\n",
        "tests/integration/test_pulse.py"
        "::test_a_step_of_the_databases_clock_mints_and_expires_nothing_until_it_is_trusted",
    ),
    Breach(
        14,
        "services/scope.py",
        '        with_for_update={"key_share": True},\n',
        "",
        "tests/integration/test_races.py"
        "::test_rotations_by_hand_that_race_leave_one_current_token_and_every_deadline",
    ),
]


def test_every_law_has_a_test_that_bears_its_number():
    marked = {
        int(number)
        for file in (ROOT / "tests").rglob("test_*.py")
        for number in re.findall(r"mark\.law\((\d+)\)", file.read_text())
    }

    assert marked == set(LAWS)


def test_every_law_is_broken_once():
    assert [breach.law for breach in BREACHES] == list(LAWS)


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: f"law-{breach.law}")
def test_breaking_a_law_makes_its_test_fail(breach: Breach, tmp_path: Path):
    for name in _tracked():
        copied = tmp_path / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copied)
    file = tmp_path / breach.file
    assert file.read_text().count(breach.whole) == 1
    file.write_text(file.read_text().replace(breach.whole, breach.broken))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", breach.test],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stdout[-2_000:] + done.stderr[-2_000:]
    assert " failed" in done.stdout


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.toml", "*.j2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
