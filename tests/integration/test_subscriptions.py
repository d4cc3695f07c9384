"""Who is told of what: choices of a target, and the lists of accounts, teams and tenants."""

from collections.abc import Callable
from typing import Any

import pytest
from keyturn_test_plugins import scripted
from sqlalchemy import event

from core.actors import Actor, ActorKind
from core.errors import Conflict, DestinationRefused, Forbidden, InvalidInput, PlaceRefused
from models import AccountState, DefaultTarget, LaneState, Target
from services import (
    account_life,
    integration_removal,
    integrations,
    teams,
    tenants,
    tokens,
)
from services.bootstrap import ensure_tenant
from tests.support.world import HOURLY, LIMITS, World, stored, told_by

Given = dict[str, Any]


@pytest.fixture
def chat(world: World) -> tuple[str, scripted.Store]:
    return world.channel()


def team(world: World, name: str = "platform", **manifest: Any) -> None:
    given = {"name": name, "members": [], **manifest}
    teams.put_team(world.runtime, world.admin, given)


def tenant_tells(world: World, *targets: Given) -> None:
    tenants.set_limits(world.runtime, world.admin, {"notification_targets": list(targets)})


def turn(world: World) -> None:
    """Every account that is due rotates, and people hear of it."""
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()


def heard(store: scripted.Store) -> list[tuple[str, str, str]]:
    """Whom the channel told of which account what."""
    return sorted(
        (address, str(notice.facts.get("account")), notice.type.value)
        for notice, address in store.notices
    )


def test_a_target_hears_only_of_the_events_that_it_chose(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    told = [
        told_by(fqn, to=["all"]),
        told_by(fqn, to=["ends"], events=["token.revoked", "token.expired"]),
    ]
    account, _ = world.create(auto_rotate=HOURLY, notification_targets=told)

    turn(world)
    tokens.revoke_all(world.runtime, world.admin, account.id)
    world.drain()

    assert heard(store) == [
        ("all", "ci-bot", "token.revoked"),
        ("all", "ci-bot", "token.rotated"),
        ("ends", "ci-bot", "token.revoked"),
    ]


def test_a_target_hears_only_from_its_least_severity_on(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    told = [
        told_by(fqn, to=[level], minimum_severity=level)
        for level in ("info", "warning", "critical")
    ]
    account, _ = world.create(auto_rotate=HOURLY, notification_targets=told)

    turn(world)
    tokens.revoke_all(world.runtime, world.admin, account.id)
    world.drain()

    assert heard(store) == [
        ("info", "ci-bot", "token.revoked"),
        ("info", "ci-bot", "token.rotated"),
        ("warning", "ci-bot", "token.revoked"),
    ]


def test_times_are_those_of_the_subscriber_and_stay_so_when_it_is_sent_again(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    told = told_by(fqn, timezone="Asia/Kolkata")
    world.create(auto_rotate=HOURLY, notification_targets=[told])
    world.clock.pass_(hours=1)
    world.rotate()

    world.put(auto_rotate=HOURLY, notification_targets=[{**told, "timezone": "Europe/Berlin"}])
    world.drain()
    turn(world)

    assert [notice.timezone for notice, _ in store.notices] == ["Asia/Kolkata", "Europe/Berlin"]


def test_a_manifest_without_choices_tells_everything_in_utc(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    world.create(auto_rotate=HOURLY, notification_target=told_by(fqn, to=["ann"]))

    turn(world)

    (target,) = world.rows(Target)
    assert (target.events, target.minimum_severity, target.timezone) == (None, 0, "UTC")
    assert [notice.timezone for notice, _ in store.notices] == ["UTC"]


def test_a_changed_choice_changes_the_row_and_nobody_else(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, _ = chat
    ann, bob = told_by(fqn, to=["ann"]), told_by(fqn, to=["bob"])
    world.create(notification_targets=[ann, bob])
    before = world.rows(Target)

    world.put(notification_targets=[{**bob, "minimum_severity": "critical"}, ann])

    after = world.rows(Target)
    assert [row.id for row in after] == [row.id for row in before]
    assert {row.address: (row.position, row.minimum_severity) for row in after} == {
        "bob": (0, 2),
        "ann": (1, 0),
    }


@pytest.mark.parametrize(
    ("choice", "field", "allowed"),
    [
        ({"events": ["token.turned"]}, "notification_targets.0.events.0", "account.expired, "),
        ({"events": ["user.invited"]}, "notification_targets.0.events.0", "account.expired, "),
        ({"events": []}, "notification_targets.0.events", "at least 1 item"),
        ({"minimum_severity": "high"}, "notification_targets.0.minimum_severity", "'warning'"),
        ({"timezone": "Mars/Olympus"}, "notification_targets.0.timezone", "like Europe/Berlin"),
        ({"timezone": "../etc/passwd"}, "notification_targets.0.timezone", "like Europe/Berlin"),
        ({"least": "info"}, "notification_targets.0.least", "not permitted"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_by_its_name(
    world: World, choice: Given, field: str, allowed: str, chat: tuple[str, scripted.Store]
):
    with pytest.raises(InvalidInput) as refused:
        world.put(notification_targets=[told_by(chat[0], **choice)])

    assert refused.value.field == field
    assert allowed in str(refused.value)


def test_a_recipient_with_two_choices_is_refused_and_one_named_twice_is_one(
    world: World, chat: tuple[str, scripted.Store]
):
    ann = told_by(chat[0], to=["ann"])

    world.create(notification_targets=[ann, ann])
    with pytest.raises(InvalidInput, match=r"notification_targets\.1: this names ann once more"):
        world.put(notification_targets=[ann, {**ann, "minimum_severity": "critical"}])

    assert len(world.rows(Target)) == 1


def test_choices_are_spelled_either_way(world: World, chat: tuple[str, scripted.Store]):
    world.create(notificationTargets=[told_by(chat[0], minimumSeverity="warning")])

    assert [row.minimum_severity for row in world.rows(Target)] == [1]


def test_who_hears_of_a_problem_hears_of_its_end_whatever_its_severity(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    vault, held = world.store(concurrency=1)
    told = [
        told_by(fqn, to=["critical"], minimum_severity="critical"),
        told_by(fqn, to=["paused"], events=["lane.paused"]),
        told_by(fqn, to=["rotated"], events=["token.rotated"]),
    ]
    for number in range(3):
        world.create(
            f"bot-{number}",
            secret_store_config=stored(vault, f"bots/{number}"),
            notification_targets=told,
        )
    held.fail(DestinationRefused("wrong credentials"), times=3)
    world.drain()

    integrations.resume_lane(world.runtime, world.admin, world.lane(vault).id)
    world.drain()

    assert sorted((address, event) for address, _, event in heard(store)) == [
        ("critical", "lane.paused"),
        ("critical", "lane.resumed"),
        ("paused", "lane.paused"),
        ("paused", "lane.resumed"),
    ]


def test_the_accounts_targets_stand_in_for_the_teams_and_these_for_the_tenants(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    tenant_tells(world, told_by(fqn, to=["tenant"]))
    team(world, notification_targets=[told_by(fqn, to=["team"])])
    team(world, "bare")
    world.create("own", auto_rotate=HOURLY, notification_targets=[told_by(fqn, to=["own"])])
    for name, owner in (("of-team", "platform"), ("of-bare-team", "bare")):
        world.create(name, auto_rotate=HOURLY, ownedBy={"team": owner})
    world.create("of-nobody", auto_rotate=HOURLY)

    turn(world)

    assert [(address, account) for address, account, _ in heard(store)] == [
        ("own", "own"),
        ("team", "of-team"),
        ("tenant", "of-bare-team"),
        ("tenant", "of-nobody"),
    ]


def test_an_account_with_targets_of_its_own_in_a_team_has_only_these(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    team(world, notification_targets=[told_by(fqn, to=["team"])])
    own = [told_by(fqn, to=["own"])]
    account, _ = world.create(
        auto_rotate=HOURLY, ownedBy={"team": "platform"}, notification_targets=own
    )
    turn(world)

    world.put(account.name, auto_rotate=HOURLY, ownedBy={"team": "platform"})
    turn(world)

    assert [address for address, _, _ in heard(store)] == ["own", "team"]


def test_an_empty_list_means_that_nobody_is_told(world: World, chat: tuple[str, scripted.Store]):
    fqn, store = chat
    tenant_tells(world, told_by(fqn, to=["tenant"]))
    team(world, "quiet", notification_targets=[])
    world.create("silent", auto_rotate=HOURLY, notification_targets=[])
    world.create("of-quiet-team", auto_rotate=HOURLY, ownedBy={"team": "quiet"})

    turn(world)

    assert heard(store) == []


def test_defaults_that_change_count_from_the_next_event_on(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    tenant_tells(world, told_by(fqn, to=["ann"]))
    world.create(auto_rotate=HOURLY)
    turn(world)

    tenant_tells(world, told_by(fqn, to=["bob"], minimum_severity="warning"))
    turn(world)
    tenant_tells(world)
    turn(world)

    assert [address for address, _, _ in heard(store)] == ["ann"]
    assert world.rows(DefaultTarget) == []


def test_a_batch_reads_its_subscribers_in_as_many_queries_as_one_account(
    world: World, chat: tuple[str, scripted.Store]
):
    tenant_tells(world, told_by(chat[0], to=["tenant"]))
    team(world, notification_targets=[told_by(chat[0], to=["team"])])
    team(world, "bare")

    def make(number: int) -> None:
        for owner in ("platform", "bare"):
            world.create(f"{owner}-{number}", auto_rotate=HOURLY, ownedBy={"team": owner})

    make(0)
    few = statements(world, lambda: turn_due(world))
    for number in range(1, 8):
        make(number)
    many = statements(world, lambda: turn_due(world))

    assert many == few


def turn_due(world: World) -> None:
    world.clock.pass_(hours=1)
    assert world.rotate().turned > 0


def statements(world: World, work: Callable[[], None]) -> int:
    said: list[str] = []
    engine = world.runtime.database.engine

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", listen)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    return len(said)


def test_a_team_that_goes_takes_its_targets_along(world: World, chat: tuple[str, scripted.Store]):
    team(world, notification_targets=[told_by(chat[0], to=["team"])])

    teams.delete_team_by_name(world.runtime, world.admin, "platform")

    assert world.rows(DefaultTarget) == []


def test_who_may_not_use_a_channel_makes_it_nobodys_default(
    world: World, chat: tuple[str, scripted.Store]
):
    ann = Actor(world.tenant_id, ActorKind.USER, "ann@example.com")

    with pytest.raises(Forbidden):
        teams.put_team(
            world.runtime,
            ann,
            {"name": "mine", "members": [], "notification_targets": [told_by(chat[0])]},
        )
    with pytest.raises(Forbidden):
        tenants.set_limits(world.runtime, ann, {"notification_targets": [told_by(chat[0])]})

    assert world.rows(DefaultTarget) == []


def test_a_channel_that_is_somebodys_default_is_not_taken_away(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, _ = chat
    tenant_tells(world, told_by(fqn))
    team(world, notification_targets=[told_by(fqn)])

    with pytest.raises(Conflict, match="used by 1 teams and the security settings"):
        integration_removal.delete_provider_account(
            world.runtime, world.admin, "provider-account/custom", "chat-account"
        )


def test_a_channel_that_is_paused_is_told_beside_it_and_to_the_tenants_targets(world: World):
    (bad, refuses), (good, told), (ops, everybody) = (
        world.channel(name) for name in ("bad", "good", "ops")
    )
    tenant_tells(world, told_by(ops, to=["ops"]))
    world.create(
        auto_rotate=HOURLY, notification_targets=[told_by(bad, to=["x"]), told_by(good, to=["y"])]
    )
    refuses.always = DestinationRefused("wrong token")
    for _ in range(3):
        turn(world)
        for _ in range(3):
            world.clock.pass_(minutes=10)
            world.drain()

    assert world.lane(bad).state is LaneState.PAUSED
    assert [one for one in heard(told) if one[2] == "lane.paused"] == [("y", "None", "lane.paused")]
    assert heard(everybody) == [("ops", "None", "lane.paused")]
    assert heard(refuses) == []


def test_a_removal_that_fails_after_its_account_went_is_told_by_default(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    vault, held = world.store()
    tenant_tells(world, told_by(fqn, to=["tenant"]))
    account, _ = world.create(
        secret_store_config=stored(vault), notification_targets=[told_by(fqn, to=["own"])]
    )
    world.drain()
    held.always = PlaceRefused("read only")

    account_life.delete_account(world.runtime, world.admin, account.id)
    world.drain()

    assert world.fresh(account).state is AccountState.DELETED
    assert heard(store) == [("tenant", "ci-bot", "sync.failed")]
    ((notice, _),) = store.notices
    assert notice.facts["cause"] == "removed"


def test_another_tenants_defaults_hear_nothing(world: World, chat: tuple[str, scripted.Store]):
    fqn, store = chat
    tenant_tells(world, told_by(fqn, to=["acme"]))
    other = ensure_tenant(world.runtime, "globex", limits=LIMITS, admin_email="eve@example.com")
    globex = World(world.runtime, world.clock, other, world.folder)
    account, _ = globex.create(auto_rotate=HOURLY)

    turn(world)

    assert len(globex.tokens(account)) == 2
    assert heard(store) == []
