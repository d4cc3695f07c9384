"""The doctor's findings, on each database."""

from datetime import timedelta

import pytest

from core.errors import DestinationRefused, Transient, Unready
from models import Installation, LaneState
from services.integrations.integrations import apply_provider_account, pause_lane
from services.operation.pulse import Pulse
from services.watching.doctor import Finding, Health, examine
from tests.support.world import HOURLY, World, stored


def found(world: World) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(world.runtime, lambda: None)}


def test_all_is_well_where_everything_answers_and_a_worker_lives(world: World):
    world.store()
    Pulse(world.runtime, "worker").beat()

    findings = found(world)

    assert {finding.health for finding in findings.values()} == {Health.OK}
    assert list(findings) == [
        "database",
        "broker",
        "master key",
        "clock",
        "processes",
        "rotation",
        "notice texts",
        "acme:custom:vault-account:secret-store:vault",
    ]


def test_without_a_schema_nothing_but_the_broker_can_be_looked_at(world: World):
    with world.runtime.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")

    findings = found(world)

    assert list(findings) == ["database", "broker"]
    assert findings["database"].health is Health.FAILED
    assert "`keyturn migrate`" in findings["database"].todo


@pytest.mark.parametrize(
    ("error", "said"),
    [(Unready("it is away"), "it is away"), (KeyError("secret"), "KeyError")],
)
def test_a_broker_in_trouble_is_told_and_only_our_own_words_are_quoted(
    world: World, error: Exception, said: str
):
    def ping() -> None:
        raise error

    findings = {finding.what: finding for finding in examine(world.runtime, ping)}

    assert (findings["broker"].health, findings["broker"].said) == (Health.FAILED, said)
    assert "KEYTURN_BROKER_URL" in findings["broker"].todo


@pytest.mark.parametrize(
    ("kinds", "health"),
    [([], Health.WARNING), (["api"], Health.WARNING), (["api", "worker"], Health.OK)],
)
def test_a_worker_is_needed(world: World, kinds: list[str], health: Health):
    for kind in kinds:
        Pulse(world.runtime, kind).beat()

    assert found(world)["processes"].health is health


def test_a_process_that_was_silent_for_half_a_minute_is_not_counted(world: World):
    Pulse(world.runtime, "worker").beat()
    world.clock.pass_(seconds=31)

    assert found(world)["processes"].said == "running: none"


def test_a_stepped_clock_is_told_with_the_command_that_trusts_it(world: World):
    with world.runtime.database.writing() as session:
        installation = session.get_one(Installation, 1)
        installation.clock_distrusted_until = world.clock.now() + timedelta(minutes=9)

    stepped = found(world)["clock"]
    world.clock.pass_(minutes=9)

    assert stepped.health is Health.WARNING
    assert "`keyturn clock trust`" in stepped.todo
    assert found(world)["clock"].health is Health.OK


def test_an_account_is_overdue_half_a_minute_after_it_was_due(world: World):
    world.create(auto_rotate=HOURLY)
    world.clock.pass_(hours=1, seconds=30)
    in_time = found(world)["rotation"]

    world.clock.pass_(seconds=1)

    late = found(world)["rotation"]
    assert in_time.health is Health.OK
    assert late.health is Health.WARNING
    assert late.said == "1 accounts are overdue, 0 old tokens are held"


def test_an_old_token_that_is_held_past_its_grace_is_told(world: World):
    fqn, store = world.store()
    world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    store.fail(Transient(), times=50)
    world.clock.pass_(hours=1)
    world.rotate()

    world.clock.pass_(minutes=11)

    assert found(world)["rotation"].said == "0 accounts are overdue, 1 old tokens are held"


def test_a_lane_that_does_not_answer_is_tried_again_by_itself(world: World):
    fqn, store = world.store()
    store.fail(Transient("the store is asleep"))
    world.create(secret_store_config=stored(fqn))
    world.drain()

    finding = found(world)[f"lane {fqn}"]

    assert finding.health is Health.WARNING
    assert finding.said == "does not answer: the store is asleep"


def test_a_paused_lane_has_failed_and_the_command_that_resumes_it_is_told(world: World):
    fqn, store = world.store()
    store.fail(DestinationRefused("the password is wrong"), times=3)
    world.create(secret_store_config=stored(fqn))
    for _ in range(3):
        world.drain()
        world.clock.pass_(minutes=10)

    finding = found(world)[f"lane {fqn}"]

    assert world.lane(fqn).state is LaneState.PAUSED
    assert finding.health is Health.FAILED
    assert "the password is wrong" in finding.said
    assert f"`keyturn lanes resume {world.lane(fqn).id}`" in finding.todo


def test_the_lane_of_an_integration_that_is_gone_is_nobodys_trouble(world: World):
    fqn, _ = world.store()
    pause_lane(world.runtime, world.admin, world.lane(fqn).id)
    gone = {"type": "provider-account/custom", "name": "vault-account", "integrations": []}

    apply_provider_account(world.runtime, world.admin, gone)

    assert [what for what in found(world) if "vault" in what] == []
