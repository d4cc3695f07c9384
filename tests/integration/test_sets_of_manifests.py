"""Manifests that depend on each other, rehearsed as one set on both databases."""

from typing import Any

from core.errors import InvalidInput, KeyturnError
from services.manifests import Applied, apply_manifest, place_in_order, rehearse_manifests
from tests.api.calls import rows
from tests.support.world import RecordingBell, World

TEAM: dict[str, Any] = {
    "type": "team",
    "name": "platform",
    "members": ["admin@example.com"],
    "notification_targets": [
        {
            "type": "console",
            "notification_channel": "acme:custom:local:notification-channel:here",
        }
    ],
}
ROLE: dict[str, Any] = {
    "type": "role",
    "name": "rotator",
    "display_name": "Rotator",
    "description": "Turns keys",
    "resource_type": "virtual-account",
    "permissions": ["virtual-account:update"],
}
STORE: dict[str, Any] = {
    "type": "provider-account/custom",
    "name": "local",
    "integrations": [
        {"type": "integration/secret-store/custom/file", "name": "files"},
        {"type": "integration/notification-channel/console", "name": "here", "quiet": True},
    ],
}
GROUP: dict[str, Any] = {"type": "secret-group", "name": "app"}
ACCOUNT: dict[str, Any] = {
    "type": "virtual-account",
    "name": "ci-bot",
    "ownedBy": {"team": "platform"},
    "secret_store_configs": [
        {
            "type": "secret-store",
            "integration_fqn": "acme:custom:local:secret-store:files",
            "secret_path": "ci/token",
        },
        {"type": "tfy-secrets", "secret_group": "app", "key": "token"},
    ],
}
BINDING: dict[str, Any] = {
    "type": "role-binding",
    "name": "platform-turns",
    "subjects": [
        {"type": "team", "name": "platform"},
        {"type": "virtualaccount", "name": "ci-bot"},
    ],
    "permissions": [
        {
            "resource_type": "virtual-account",
            "resource_fqn": "virtualaccount:ci-bot",
            "role": "rotator",
        }
    ],
}
SET = [STORE, TEAM, ROLE, GROUP, ACCOUNT, BINDING]


def done(answers: list[Applied | KeyturnError]) -> list[str]:
    return ["changes" if one.changed else "stays" for one in answers if isinstance(one, Applied)]


def test_any_order_is_sorted_so_that_nothing_comes_before_what_it_refers_to():
    assert sorted([BINDING, ACCOUNT, GROUP, STORE, ROLE, TEAM], key=place_in_order) == SET


def test_a_set_that_depends_on_itself_passes_and_leaves_nothing(world: World):
    before = rows(world)

    answers = rehearse_manifests(world.runtime, world.admin, SET)

    assert done(answers) == ["changes"] * len(SET)
    assert rows(world) == before


def test_what_was_rehearsed_is_then_applied_and_then_stays(world: World):
    rehearse_manifests(world.runtime, world.admin, SET)
    for manifest in SET:
        assert apply_manifest(world.runtime, world.admin, manifest).created

    assert done(rehearse_manifests(world.runtime, world.admin, SET)) == ["stays"] * len(SET)


def test_a_refused_one_is_told_in_its_place_and_the_others_are_checked_all_the_same(world: World):
    wrong = {**ROLE, "permissions": ["virtual-account:fly"]}

    answers = rehearse_manifests(world.runtime, world.admin, [STORE, wrong, TEAM, GROUP, ACCOUNT])

    assert isinstance(answers[1], InvalidInput)
    assert done(answers) == ["changes"] * 4


def test_a_conflict_with_the_database_undoes_only_that_part(world: World):
    twice = {**ACCOUNT, "name": "other-bot"}

    answers = rehearse_manifests(
        world.runtime, world.admin, [STORE, TEAM, GROUP, ACCOUNT, twice, BINDING | {"name": "b-d"}]
    )

    assert isinstance(answers[4], KeyturnError)
    assert isinstance(answers[3], Applied)


def test_a_rehearsal_rings_nobody_and_asks_no_store(world: World):
    fqn, store = world.store("vault")
    bell = world.runtime.bell
    assert isinstance(bell, RecordingBell)
    bell.lanes.clear()

    rehearse_manifests(
        world.runtime,
        world.admin,
        [
            {
                "type": "virtual-account",
                "name": "ci-bot",
                "secret_store_config": {
                    "type": "secret-store",
                    "integration_fqn": fqn,
                    "secret_path": "a/b",
                },
            }
        ],
    )

    assert bell.lanes == []
    assert world.due_lanes() == []
    assert store.puts == []
