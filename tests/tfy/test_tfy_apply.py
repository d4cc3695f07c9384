"""Manifests applied and deleted by the reference's own command."""

from models import AccountState, Team, VirtualAccount
from tests.api.calls import rows
from tests.support.world import World
from tests.tfy.conftest import Tfy

TEAM = "type: team\nname: platform\nmembers: [admin@example.com]\n"
ACCOUNT = """\
type: virtual-account
name: ci-bot
ownedBy:
  team: platform
auto_rotate:
  auto_rotate_interval: 90
  grace_period: 7
  spread: 2h
"""
STORE = """\
type: provider-account/custom
name: local
integrations:
  - type: integration/notification-channel/console
    name: console
"""
SET = f"{ACCOUNT}---\n{STORE}---\n{TEAM}"


def test_manifests_are_applied_shown_and_deleted(tfy: Tfy, world: World, admin_token: str):
    tfy.log_in(admin_token)
    file = tfy.file(SET)

    applied = tfy.said("apply", "-f", file)

    assert applied.count("Successfully configured manifest") == 3
    assert [team.name for team in world.rows(Team)] == ["platform"]
    (bot,) = [row for row in world.rows(VirtualAccount) if row.name == "ci-bot"]
    assert bot.rotation_interval is not None
    before = rows(world)

    again = tfy.said("apply", "-f", file)
    shown = tfy.said("apply", "-f", file, "--dry-run", "--show-diff")

    assert again.count("Successfully configured manifest") == 3
    assert shown.count("No changes were applied") == 3
    for name in ("ci-bot (virtual-account)", "platform (team)"):
        assert f"No changes detected for {name}" in shown
    assert "Diff for" not in shown
    assert rows(world) == before

    deleted = tfy.said("delete", "-f", tfy.file(f"{ACCOUNT}---\n{TEAM}---\n{STORE}"))
    gone = tfy("delete", "-f", file)

    assert deleted.count("Successfully deleted resource manifest") == 3
    assert world.rows(Team) == []
    assert world.fresh(bot).state is AccountState.DELETED
    assert gone.code == 1
    assert "There is no virtual account 'ci-bot' here." in gone.out


def test_a_dry_run_checks_and_writes_nothing(tfy: Tfy, world: World, admin_token: str):
    before = rows(world)
    wrong = "type: team\nname: X\nmembers: []\n"

    ended = tfy.given(admin_token)("apply", "-f", tfy.file(f"{TEAM}---\n{wrong}"), "--dry-run")

    assert ended.code == 1
    assert "[Dry Run] Successfully configured manifest platform of type team." in ended.out
    assert "Error: name: a name has 3 to 36 characters" in ended.out
    assert rows(world) == before
