from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fields import check_name
from core.manifests import AutoRotate, VirtualAccountManifest, parse_account
from core.notice_targets import ChannelTarget, EmailTarget, SlackBotTarget
from core.policy import Policy
from core.spelling import answered, reference_spelling

SNAKE = {
    "name": "ci-bot",
    "type": "virtual-account",
    "permissions": [
        {"resource_fqn": "acme", "resource_type": "account", "role_id": "tenant-admin"}
    ],
    "expiration_date": "2026-12-31",
    "auto_rotate": {"auto_rotate_interval": 90, "grace_period": 7, "max_hold": "7d"},
    "notification_target": {
        "type": "email",
        "notification_channel": "acme:custom:mail:notification-channel:mail",
        "to_emails": ["ops@example.com"],
    },
    "secret_store_config": {
        "type": "secret-store",
        "integration_fqn": "acme:custom:files:secret-store:files",
        "secret_path": "ci/token",
    },
    "ownedBy": {"team": "platform"},
    "tags": {"costCenter": "A-17", "env": {"isProd": True}},
}
CAMEL = {
    "name": "ci-bot",
    "type": "virtual-account",
    "permissions": [{"resourceFqn": "acme", "resourceType": "account", "roleId": "tenant-admin"}],
    "expirationDate": "2026-12-31",
    "autoRotate": {"autoRotateInterval": 90, "gracePeriod": 7, "maxHold": "7d"},
    "notificationTarget": {
        "type": "email",
        "notificationChannel": "acme:custom:mail:notification-channel:mail",
        "toEmails": ["ops@example.com"],
    },
    "secretStoreConfig": {
        "type": "secret-store",
        "integrationFqn": "acme:custom:files:secret-store:files",
        "secretPath": "ci/token",
    },
    "owned_by": {"team": "platform"},
    "tags": {"costCenter": "A-17", "env": {"isProd": True}},
}


def read(**fields: Any) -> VirtualAccountManifest:
    """The manifest of `ci-bot` with these fields, as the API reads it."""
    return parse_account(reference_spelling({"name": "ci-bot", **fields}))


def policy_of(**rotate: Any) -> Policy:
    policy = read(auto_rotate=rotate).policy(max_hold=timedelta(days=7))
    assert policy is not None
    return policy


def test_both_spellings_become_the_references_one():
    assert reference_spelling(CAMEL) == reference_spelling(SNAKE) == SNAKE


def test_what_the_user_put_below_tags_keeps_its_spelling():
    spelled = reference_spelling({"tags": {"costCenter": 1, "nothing": None}})

    assert spelled == {"tags": {"costCenter": 1, "nothing": None}}


def test_fields_that_are_null_are_left_out():
    spelled = reference_spelling(
        {"name": "ci-bot", "tags": None, "auto_rotate": {"interval": "1h", "schedule": None}}
    )

    assert spelled == {"name": "ci-bot", "auto_rotate": {"interval": "1h"}}


def test_an_empty_list_is_not_null():
    assert reference_spelling({"permissions": []}) == {"permissions": []}


def test_spelling_again_changes_nothing():
    assert reference_spelling(reference_spelling(CAMEL)) == SNAKE


def test_what_was_given_is_not_changed():
    given = {"autoRotate": {"gracePeriod": None}}

    reference_spelling(given)

    assert given == {"autoRotate": {"gracePeriod": None}}


def test_a_whole_manifest_is_read():
    manifest = parse_account(SNAKE)

    assert manifest.name == "ci-bot"
    assert manifest.expires_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert manifest.stores[0].secret_path == "ci/token"
    assert manifest.stores[0].required
    assert list(manifest.targets[0].addresses()) == ["ops@example.com"]
    assert manifest.owned_by is not None
    assert manifest.owned_by.team == "platform"


def test_a_name_is_all_that_is_needed():
    manifest = read()

    assert (manifest.stores, manifest.targets, manifest.expires_at) == ([], [], None)
    assert manifest.policy(max_hold=timedelta(days=7)) is None


def test_several_stores_and_targets_are_kept_in_their_order():
    manifest = read(
        secret_store_configs=[
            {"integration_fqn": "a", "secret_path": "x"},
            {"integration_fqn": "b", "secret_path": "y", "required": False, "adopt": True},
        ],
        notification_targets=[
            {"type": "slack-bot", "notification_channel": "a", "channels": ["#ops", "#dev"]},
            {"type": "console", "notification_channel": "b"},
        ],
    )

    assert [store.integration_fqn for store in manifest.stores] == ["a", "b"]
    assert [store.required for store in manifest.stores] == [True, False]
    assert [list(target.addresses()) for target in manifest.targets] == [["#ops", "#dev"], [""]]


@pytest.mark.parametrize(
    ("target", "form"),
    [
        ({"type": "email", "to_emails": ["a@b.c"]}, EmailTarget),
        ({"type": "slack-bot", "channels": ["#ops"]}, SlackBotTarget),
        ({"type": "slack-webhook"}, ChannelTarget),
        ({"type": "console"}, ChannelTarget),
    ],
)
def test_a_target_has_the_form_of_its_type(target: dict[str, Any], form: type):
    manifest = read(notification_target={"notification_channel": "x", **target})

    assert isinstance(manifest.targets[0], form)


def test_an_account_is_valid_through_its_last_day():
    assert read(expiration_date="2028-02-29").expires_at == datetime(2028, 3, 1, tzinfo=UTC)


def test_the_last_date_there_is_has_an_end_too():
    assert read(expiration_date="9999-12-31").expires_at == datetime.max.replace(tzinfo=UTC)


def test_a_date_that_was_read_already_is_taken():
    assert parse_account({"name": "ci-bot", "expiration_date": date(2026, 12, 31)}).expires_at == (
        datetime(2027, 1, 1, tzinfo=UTC)
    )


def test_days_are_the_references_rhythm():
    policy = policy_of(auto_rotate_interval=90, grace_period=7)

    assert (policy.interval, policy.grace) == (timedelta(days=90), timedelta(days=7))


def test_rotation_without_a_word_is_the_references_360_and_30_days():
    policy = policy_of()

    assert (policy.interval, policy.grace) == (timedelta(days=360), timedelta(days=30))


def test_durations_win_over_days():
    policy = policy_of(auto_rotate_interval=360, grace_period=30, interval="12h", grace="30m")

    assert (policy.interval, policy.grace) == (timedelta(hours=12), timedelta(minutes=30))


def test_a_schedule_wins_over_days():
    policy = policy_of(auto_rotate_interval=360, schedule="0 3 * * MON", timezone="Europe/Berlin")

    assert (policy.interval, policy.schedule) == (None, "0 3 * * MON")
    assert policy.timezone == "Europe/Berlin"


def test_a_grace_of_nothing_is_kept_as_such():
    assert policy_of(grace="0s").grace == timedelta(0)


def test_the_hold_is_the_tenants_unless_the_account_says_otherwise():
    assert policy_of().max_hold == timedelta(days=7)
    assert policy_of(max_hold="0s").max_hold == timedelta(0)
    assert policy_of(max_hold="2h").max_hold == timedelta(hours=2)


def test_an_answer_adds_the_two_day_fields_and_nothing_else():
    manifest = {"name": "ci-bot", "auto_rotate": {"interval": "12h"}}

    assert answered(manifest) == {
        "name": "ci-bot",
        "auto_rotate": {"auto_rotate_interval": 360, "grace_period": 30, "interval": "12h"},
    }


def test_an_answer_keeps_the_day_fields_that_were_given():
    manifest = {"auto_rotate": {"auto_rotate_interval": 90, "grace_period": 7}}

    assert answered(manifest) == manifest


def test_an_answer_to_a_rotation_without_a_word_has_the_day_fields():
    assert answered({"auto_rotate": {}}) == {
        "auto_rotate": {"auto_rotate_interval": 360, "grace_period": 30}
    }


def test_an_answer_without_rotation_is_the_manifest_itself():
    assert answered({"name": "ci-bot", "tags": {}}) == {"name": "ci-bot", "tags": {}}


@pytest.mark.parametrize(
    "kind", ["email", "slack-bot", "slack-webhook", "pagerduty", "ms-teams-webhook"]
)
def test_an_answer_keeps_a_target_that_the_sdk_knows(kind: str):
    manifest = {"notification_target": {"type": kind, "notification_channel": "x"}}

    assert answered(manifest) == manifest


def test_an_answer_shows_a_target_that_the_sdk_does_not_know_among_several():
    target = {"type": "console", "notification_channel": "x"}

    assert answered({"notification_target": target}) == {"notification_targets": [target]}


def test_an_answer_leaves_what_is_stored_as_it_is():
    stored = {"auto_rotate": {"interval": "12h"}, "notification_target": {"type": "console"}}

    answered(stored)

    assert stored == {
        "auto_rotate": {"interval": "12h"},
        "notification_target": {"type": "console"},
    }


def test_the_day_fields_of_an_answer_are_what_the_account_does():
    added = answered({"auto_rotate": {}})["auto_rotate"]

    assert AutoRotate(**added) == AutoRotate()


@pytest.mark.parametrize("name", ["abc", "ci-bot", "a1b2c3", "a" * 36, "a--b", "x-9"])
def test_a_name_of_the_references_rule_is_taken(name: str):
    assert check_name(name) == name


@given(st.from_regex(r"[a-z][a-z0-9-]{1,34}[a-z0-9]", fullmatch=True))
def test_every_name_of_the_references_rule_is_taken(name: str):
    assert parse_account({"name": name}).name == name
