"""Uses of tokens: counted in memory, written in batches, read per account and for notices."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from core.callers import SHOWN
from core.ids import new_id
from core.tokens import TokenKind, mint
from models import ExchangedToken, TokenUse
from models.uses import ENDED_PROCESSES
from services.accounts import account_views
from services.accounts.account_uses import uses_of_account
from services.engine import tokens
from services.operation import housekeeping
from services.operation.pulse import Pulse
from services.people.user_life import delete_user
from services.verify import use_counting
from services.verify.use_counting import UseCounter
from services.verify.uses import last_uses, still_used
from tests.support.persons import person
from tests.support.world import HOURLY, World


def rows(world: World, **wanted) -> list[TokenUse]:
    with world.runtime.database.reading() as session:
        return list(session.query(TokenUse).filter_by(**wanted).order_by(TokenUse.is_late))


def used(counter: UseCounter, token_id, times: int = 1, agent: str = "curl/8") -> None:
    for _ in range(times):
        counter.count(token_id, "10.0.0.1", agent, "verify")


def of_account(world: World, account):
    return uses_of_account(world.runtime, world.admin, account.id)


def late_uses(world: World, token_id, since):
    with world.runtime.database.reading() as session:
        return still_used(session, {token_id: since}).get(token_id)


@pytest.fixture
def counter(world: World) -> UseCounter:
    return UseCounter(world.runtime)


def test_uses_are_counted_with_their_callers_and_written_by_the_flush(world, counter):
    account, _ = world.create()
    token_id = world.current(account).id
    used(counter, token_id, 3)
    world.clock.pass_(seconds=5)
    counter.count(token_id, None, None, "introspect")
    before = of_account(world, account)

    counter.flush()

    found = of_account(world, account)
    (generation,) = found.generations
    assert before.total.count == 0
    assert (found.total.count, found.total.last_used_at) == (4, world.clock.now())
    assert [(*caller, seen.times) for caller, seen in generation.uses.callers] == [
        ("10.0.0.1", "curl/8", "verify", 3),
        (None, None, "introspect", 1),
    ]
    assert generation.late.count == 0


def test_nothing_counted_writes_nothing(world, counter):
    counter.flush()

    assert rows(world) == []


def test_several_processes_add_up(world):
    account, _ = world.create()
    token_id = world.current(account).id
    for times in (2, 5):
        one = UseCounter(world.runtime)
        used(one, token_id, times)
        one.flush()
        used(one, token_id, times)
        one.flush()

    found = of_account(world, account)

    assert found.total.count == 14
    assert [seen.times for _, seen in found.generations[0].uses.callers] == [14]


def test_a_batch_is_added_once_however_often_it_is_written(world, counter, monkeypatch):
    account, _ = world.create()
    used(counter, world.current(account).id, 3)
    write = world.runtime.database.write

    def lost_at_commit(use_case):
        write(use_case)
        raise OperationalError("COMMIT", None, Exception("gone"))

    monkeypatch.setattr(world.runtime.database, "write", lost_at_commit)
    with pytest.raises(OperationalError):
        counter.flush()
    monkeypatch.undo()
    used(counter, world.current(account).id, 1)
    counter.flush()

    assert of_account(world, account).total.count == 4


def test_what_cannot_be_written_is_kept_and_counting_goes_on(world, counter, monkeypatch):
    account, _ = world.create()
    token_id = world.current(account).id

    def refused(_use_case):
        raise OperationalError("INSERT", None, Exception("away"))

    monkeypatch.setattr(world.runtime.database, "write", refused)
    for _ in range(3):
        used(counter, token_id)
        with pytest.raises(OperationalError):
            counter.flush()
    monkeypatch.undo()
    counter.flush()

    assert of_account(world, account).total.count == 3


def test_uses_after_the_successor_are_told_apart(world, counter):
    account, _ = world.create(auto_rotate=HOURLY)
    old = world.current(account)
    used(counter, old.id, 5, "old-agent/1")
    counter.flush()
    world.clock.pass_(minutes=1)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    rotated_at = world.clock.now()
    nobody = late_uses(world, old.id, rotated_at)
    world.clock.pass_(minutes=1)
    used(counter, old.id, 2, "forgotten/2")
    used(counter, world.current(account).id, 7)
    counter.flush()

    uses = late_uses(world, old.id, rotated_at)

    assert nobody is None
    assert (uses.count, uses.last_used_at) == (2, world.clock.now())
    assert [(caller.user_agent, seen.times) for caller, seen in uses.callers] == [
        ("forgotten/2", 2)
    ]
    new, before = of_account(world, account).generations
    assert (new.uses.count, new.late.count) == (7, 0)
    assert (before.uses.count, before.late.count) == (7, 2)


def test_an_old_token_that_rests_since_is_not_still_used(world, counter):
    account, _ = world.create(auto_rotate=HOURLY)
    old = world.current(account)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    used(counter, old.id)
    counter.flush()

    world.clock.pass_(minutes=5)

    assert late_uses(world, old.id, world.clock.now() - timedelta(minutes=6)) is not None
    assert late_uses(world, old.id, world.clock.now() - timedelta(minutes=4)) is None


def test_uses_just_before_a_rotation_are_no_late_ones_when_written_after_it(world, counter):
    account, _ = world.create(auto_rotate=HOURLY)
    old = world.current(account)
    used(counter, old.id, 5)
    world.clock.pass_(seconds=1)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    counter.flush()

    assert late_uses(world, old.id, world.clock.now() - timedelta(hours=1)) is None
    assert [row.is_late for row in rows(world, token_id=old.id)] == [False]


def test_a_list_of_accounts_says_when_each_was_last_used(world, counter):
    account, _ = world.create()
    world.create("web-bot")
    used(counter, world.current(account).id)
    counter.flush()

    views, _ = account_views.list_accounts(world.runtime, world.admin)

    assert [view.last_used_at for view in views] == [world.clock.now(), None]


def test_an_exchanged_token_counts_for_its_account_and_outlives_itself_there(world, counter):
    account, _ = world.create()
    token = mint(TokenKind.EXCHANGED)
    exchanged_id = new_id()
    with world.runtime.database.writing() as session:
        session.add(
            ExchangedToken(
                id=exchanged_id,
                tenant_id=account.tenant_id,
                account_id=account.id,
                mapping_id=new_id(),
                hash=token.hash,
                last_four=token.last_four,
                created_at=world.clock.now(),
                expires_at=world.clock.now() + timedelta(hours=1),
                revoked_at=None,
            )
        )
    used(counter, exchanged_id, 3)
    counter.flush()
    there = of_account(world, account)
    with world.runtime.database.writing() as session:
        session.delete(session.get(ExchangedToken, (exchanged_id, account.tenant_id)))
    housekeeping.prune(world.runtime)

    gone = of_account(world, account)

    assert (there.total.count, there.exchanged.count) == (3, 3)
    assert (gone.total.count, gone.exchanged.count) == (3, 0)
    assert rows(world, token_id=exchanged_id) == []


def test_rows_of_processes_that_are_no_more_become_one(world):
    account, _ = world.create()
    token_id = world.current(account).id
    for times in range(1, 6):
        one = UseCounter(world.runtime)
        used(one, token_id, times, f"agent/{times % 2}")
        one.flush()
    before = of_account(world, account)

    taken = housekeeping.prune(world.runtime)
    again = housekeeping.prune(world.runtime)

    after = of_account(world, account)
    assert (taken, again) == (10, 0)
    assert {row.process for row in rows(world)} == {ENDED_PROCESSES}
    assert before.total.count == 15
    assert after.total == before.total
    assert after.generations[0].uses == before.generations[0].uses


def test_rows_of_a_living_process_stay_its_own(world):
    pulse = Pulse(world.runtime, "api")
    pulse.beat()
    counter = UseCounter(world.runtime, pulse.id)
    account, _ = world.create()
    used(counter, world.current(account).id)
    counter.flush()

    housekeeping.prune(world.runtime)

    assert {row.process for row in rows(world)} == {pulse.id}


def test_a_process_taken_for_dead_goes_on_counting_without_a_gap(world, counter):
    account, _ = world.create()
    for _ in range(3):
        used(counter, world.current(account).id)
        counter.flush()
        housekeeping.prune(world.runtime)

    assert of_account(world, account).total.count == 3


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_two_who_put_rows_together_and_one_who_adds_lose_nothing(world):
    account, _ = world.create()
    token_id = world.current(account).id
    failed = []

    def work(act) -> None:
        try:
            for _ in range(20):
                act()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failed.append(error)

    def add() -> None:
        one = UseCounter(world.runtime)
        used(one, token_id, 1, "a")
        one.flush()

    acts = [add, add, lambda: housekeeping.prune(world.runtime)] * 2
    threads = [threading.Thread(target=work, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = of_account(world, account)

    assert failed == []
    assert found.total.count == 80
    assert [seen.times for _, seen in found.generations[0].uses.callers] == [80]


def test_a_flood_of_callers_keeps_the_count_and_those_who_come_often(world, counter):
    account, _ = world.create()
    token_id = world.current(account).id
    for number in range(1_000):
        used(counter, token_id, 1, f"flood/{number}")
        used(counter, token_id, 1, "steady/1")
    counter.flush()

    uses = of_account(world, account).generations[0].uses

    assert uses.count == 2_000
    assert len(uses.callers) == SHOWN
    assert (uses.callers[0][0].user_agent, uses.callers[0][1].times) == ("steady/1", 1_000)


def test_what_is_kept_in_memory_is_bounded(world, counter, monkeypatch):
    monkeypatch.setattr(use_counting, "_MOST_TOKENS", 10)
    monkeypatch.setattr(use_counting, "_MOST_CALLERS", 5)

    for _ in range(50):
        used(counter, new_id(), 2)

    assert len(counter._tallies) == 10
    assert sum(len(tally.callers) for tally in counter._tallies.values()) == 5


def test_a_counter_writes_at_its_end_what_it_has_counted(world):
    account, _ = world.create()
    before = world.runtime.uses

    with UseCounter(world.runtime).counting():
        used(world.runtime.uses, world.current(account).id, 2)

    assert world.runtime.uses is before
    assert of_account(world, account).total.count == 2


def test_the_uses_of_a_person_who_goes_go_too(world, counter):
    ann = person(world, "ann@example.com")
    other = new_id()
    used(counter, ann.token_id)
    used(counter, other)
    counter.flush()
    with world.runtime.database.reading() as session:
        there = last_uses(session, [ann.token_id])

    delete_user(world.runtime, world.admin, str(ann.id))

    assert there == {ann.token_id: world.clock.now()}
    assert rows(world, token_id=ann.token_id) == []
