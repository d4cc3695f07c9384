from datetime import timedelta

import pytest

from models import AuditRow, DeliveryState, TokenRow, TokenState, VirtualAccount
from services.accounts import account_life
from services.engine import tokens
from tests.support.world import HOURLY, World, stored, told_by


def test_a_new_account_gets_a_token_that_works_and_is_pushed(world: World):
    fqn = world.file_store()

    _, token = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()

    assert world.works(token)
    assert world.file("ci/token") == token.reveal()


@pytest.mark.law(3)
def test_a_rotation_writes_token_event_deliveries_and_audit_in_one_commit(world: World):
    store_fqn, store = world.store()
    channel_fqn, _ = world.channel()
    account, _ = world.create(
        auto_rotate=HOURLY,
        secret_store_config=stored(store_fqn),
        notification_target=told_by(channel_fqn),
    )
    world.drain()
    world.clock.pass_(hours=1)

    world.rotate()

    rotated = world.told("token.rotated")
    assert len(world.tokens(account)) == 2
    assert world.current(account).sealed is not None
    actions = [d.action.value for d in world.deliveries() if d.event_id == rotated[0].id]
    assert sorted(actions) == ["notice", "put"]
    audited = [row.action for row in world.rows(AuditRow)]
    assert audited.count("token.rotated") == 1
    assert store.puts[-1][1].revision == 1


@pytest.mark.law(8)
def test_a_due_account_is_rotated_once_however_often_one_looks(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    world.clock.pass_(hours=1)

    turned = [world.rotate().turned for _ in range(5)]

    assert turned == [1, 0, 0, 0, 0]
    assert world.fresh(account).generation == 2


@pytest.mark.law(8)
def test_a_long_outage_costs_one_rotation_and_then_the_schedule_goes_on(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    first_due = world.fresh(account).next_rotation_at
    world.clock.pass_(hours=100, minutes=20)

    turned = [world.rotate().turned for _ in range(3)]

    assert turned == [1, 0, 0]
    assert world.fresh(account).next_rotation_at == first_due + timedelta(hours=100)


@pytest.mark.law(5)
def test_rotating_again_inside_a_grace_leaves_the_first_deadline_alone(world: World):
    account, first = world.create(auto_rotate=HOURLY)
    tokens.regenerate_token(world.runtime, world.admin, account.id, grace=timedelta(hours=5))
    deadline = world.tokens(account)[0].valid_until

    world.clock.pass_(minutes=1)
    second = tokens.rotate_account(world.runtime, world.admin, account.id)
    tokens.regenerate_token(world.runtime, world.admin, account.id, grace=timedelta(0))

    states = [row.state for row in world.tokens(account)]
    assert world.tokens(account)[0].valid_until == deadline
    assert states == [
        TokenState.GRACE,
        TokenState.GRACE,
        TokenState.REVOKED,
        TokenState.CURRENT,
    ]
    assert world.works(first)
    assert not world.works(second)


@pytest.mark.law(5)
def test_a_grace_never_outlives_the_tokens_own_expiration_date(world: World):
    account, old = world.create(
        auto_rotate={"interval": "1h", "grace": "4h"}, expiration_date="2026-03-02"
    )
    world.clock.pass_(hours=13)

    world.rotate()

    row = world.tokens(account)[0]
    assert row.valid_until.isoformat() == "2026-03-03T00:00:00+00:00"
    world.clock.pass_(hours=2)
    assert world.refusal(old) == "out_of_grace"


@pytest.mark.law(4)
def test_the_database_refuses_a_second_current_token(world: World):
    account, _ = world.create()
    row = world.current(account)
    second = {c.name: getattr(row, c.name) for c in TokenRow.__table__.columns}
    second |= {"id": account.id, "hash": b"x" * 32, "generation": 2}

    with pytest.raises(Exception, match=r"(?i)unique"), world.runtime.database.writing() as session:
        session.add(TokenRow(**second))


@pytest.mark.law(4)
def test_the_database_refuses_an_account_without_the_token_of_its_generation(world: World):
    account, _ = world.create()

    with (
        pytest.raises(Exception, match=r"(?i)foreign key"),
        world.runtime.database.writing() as session,
    ):
        session.get_one(VirtualAccount, (account.id, account.tenant_id)).generation = 9


@pytest.mark.law(4)
def test_at_no_moment_of_a_rotation_is_an_account_without_a_valid_token(world: World):
    account, old = world.create(auto_rotate=HOURLY)

    for _ in range(5):
        world.clock.pass_(hours=1)
        world.rotate()
        world.expire()
        valid = [row for row in world.tokens(account) if row.is_valid(world.clock.now())]
        assert [row.state for row in valid].count(TokenState.CURRENT) == 1

    assert not world.works(old)


def test_a_sealed_copy_exists_of_the_current_token_only(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    world.clock.pass_(hours=1)

    world.rotate()

    assert [row.sealed is not None for row in world.tokens(account)] == [False, True]


def test_a_poisoned_account_is_left_out_told_once_and_does_not_stop_the_rest(world: World):
    channel_fqn, channel = world.channel()
    sick, _ = world.create("sick", auto_rotate=HOURLY, notification_target=told_by(channel_fqn))
    well, _ = world.create("well", auto_rotate=HOURLY)
    with world.runtime.database.writing() as session:
        row = session.get_one(VirtualAccount, (sick.id, sick.tenant_id))
        row.rotation_interval, row.rotation_schedule = None, "this is no cron expression"
    world.clock.pass_(hours=1)

    done = world.rotate()
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()

    assert (done.turned, done.failed) == (1, 1)
    assert world.fresh(well).generation == 3
    assert world.fresh(sick).rotation_failures == 2
    assert world.fresh(sick).next_rotation_at < world.clock.now()
    assert [notice.type.value for notice, _ in channel.notices] == ["rotation.failed"]


def test_a_batch_the_database_refuses_is_halved_until_the_culprit_is_alone(world: World):
    names = [f"bot-{n}" for n in range(9)]
    made = {name: world.create(name, auto_rotate=HOURLY)[0] for name in names}
    sick = made["bot-4"]
    row = world.current(sick)
    taken = {c.name: getattr(row, c.name) for c in TokenRow.__table__.columns}
    taken |= {"id": sick.id, "hash": b"x" * 32, "generation": 2, "state": TokenState.REVOKED}
    with world.runtime.database.writing() as session:
        session.add(TokenRow(**taken | {"sealed": None}))
    world.clock.pass_(hours=1)

    done = world.rotate()

    assert (done.turned, done.failed) == (8, 1)
    assert world.fresh(sick).generation == 1
    assert world.fresh(made["bot-8"]).generation == 2


def test_a_paused_account_waits_and_rotates_once_when_resumed(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    account_life.pause_account(world.runtime, world.admin, account.id)
    world.clock.pass_(hours=5)
    while_paused = world.rotate().turned

    account_life.resume_account(world.runtime, world.admin, account.id)

    assert while_paused == 0
    assert [world.rotate().turned for _ in range(2)] == [1, 0]


def test_a_changed_policy_reckons_from_the_last_rotation_not_from_now(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    world.clock.pass_(minutes=50)

    world.put(auto_rotate={"interval": "2h", "grace": "10m"})

    due = world.fresh(account).next_rotation_at
    assert due - world.clock.now() == timedelta(minutes=70)


def test_an_account_rotated_by_hand_is_next_due_an_interval_later(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    world.clock.pass_(minutes=50)

    tokens.rotate_account(world.runtime, world.admin, account.id)

    assert world.fresh(account).next_rotation_at == world.clock.now() + timedelta(hours=1)


def test_everything_is_delivered_after_many_rotations(world: World):
    fqn, store = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))

    for _ in range(10):
        world.drain()
        world.clock.pass_(hours=1)
        world.rotate()
    world.drain()

    assert [mark.revision for _, mark in store.puts] == list(range(1, 12))
    assert {d.state for d in world.deliveries()} == {DeliveryState.DONE}
    assert world.fresh(account).generation == 11
