"""A day without mail and Slack: afterwards everybody hears of everything once, the worst first."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.events import EventType, Severity
from models import AuditRow
from tests.support.outage import CHANNEL, PEOPLE, Outage, outage_of
from tests.support.world import new_world

GOOD, BAD = 500, 4
ANN, ONCALL = PEOPLE


@pytest.fixture
def outage(postgres_url: str, tmp_path: Path) -> Iterator[Outage]:
    with (
        new_world(postgres_url, tmp_path / "files", digest_window="60s") as world,
        outage_of(world) as made,
    ):
        yield made


@pytest.mark.law(8)
@pytest.mark.law(10)
def test_after_a_day_of_2000_rotations_everybody_has_heard_of_everything_once(outage: Outage):
    outage.accounts(GOOD, BAD)
    outage.begin()

    outage.pass_(hours=24.5)
    unheard = len(outage.mail.messages) + len(outage.slack.messages)
    outage.end()
    killed, untold = outage.send_and_die()
    outage.pass_(hours=1)

    turned = outage.world.rows(AuditRow, AuditRow.action == "token.rotated")
    assert unheard == 0
    assert len(killed.others) + len(untold) > 0
    assert len(turned) >= 4 * GOOD
    for address, heard in (
        (ANN, outage.letters(ANN)),
        (ONCALL, outage.letters(ONCALL)),
        (CHANNEL, outage.posts()),
    ):
        due = outage.notices(address)
        came = Counter(key for key, _ in heard)
        repeated = {killed.digest_id} if address == killed.address else set()
        assert came.keys() == due.keys()
        assert {key for key, times in came.items() if times > 1} == repeated
        assert max(came.values()) <= 2
        _assert_every_fact_once(due)
        _assert_summed_up(heard, due)
        _assert_the_worst_first(outage, address, heard)
        assert len(due) <= 60  # not thousands: few were begun while nobody answered


def _assert_every_fact_once(due: dict) -> None:
    told: Counter = Counter()
    for facts in due.values():
        told.update(facts)
    good = {fact: times for fact, times in told.items() if fact[0].startswith("bot-")}
    assert len({account for account, _ in good}) == GOOD
    assert {times for (_, event), times in good.items() if event == EventType.TOKEN_ROTATED} == {4}
    assert {event for account, event in told if account.startswith("bad-")} >= {
        EventType.SYNC_FAILED,
        EventType.HOLD_EXHAUSTED,
    }


def _assert_summed_up(heard: list, due: dict) -> None:
    """What a digest says in numbers is what it holds; a long subject is cut."""
    for key, said in heard:
        if due[key].total() > 1 and not said.endswith("…"):
            counts = [re.match(r"(\d+) ", part) for part in said.split(", ")]
            assert sum(int(count[1]) for count in counts if count) == due[key].total()


def _assert_the_worst_first(outage: Outage, address: str, heard: list) -> None:
    """But for the one that tried whether anybody answers, and letters that overtake each other."""
    severities = outage.severities(address)
    came = [severities[key] for key, _ in heard]
    most_under_way = 4 if "@" in address else 1
    for level in (Severity.CRITICAL, Severity.WARNING):
        as_bad = sum(severity >= level for severity in came)
        last = max(place for place, severity in enumerate(came, 1) if severity >= level)
        assert as_bad <= last <= as_bad + most_under_way
