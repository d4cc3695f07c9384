"""What a target is told: the events, severities and times that it chose."""

from typing import Any

import pytest
from keyturn_test_plugins import scripted

from core.errors import DestinationRefused, InvalidInput
from models import Target
from services.engine import tokens
from services.integrations import integrations
from tests.support.telling import heard, turn
from tests.support.world import HOURLY, World, stored, told_by

Given = dict[str, Any]


@pytest.fixture
def chat(world: World) -> tuple[str, scripted.Store]:
    return world.channel()


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
