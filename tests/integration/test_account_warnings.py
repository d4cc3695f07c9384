"""What is allowed and yet works against an account's keys is said to whoever writes it."""

from typing import Any

import pytest

from services.accounts.account_views import find_account
from services.accounts.account_warnings import NOBODY_HEARS, warnings_of
from services.accounts.accounts import put_account
from sinks.aws.parameter_store import ParameterStoreSink
from sinks.aws.secrets_manager import SecretsManagerSink
from sinks.vault.kv import VaultSink
from tests.support.ports import free_port
from tests.support.world import HOURLY, World, stored, told_by

DAILY = {"interval": "1d", "grace": "6h"}


@pytest.fixture
def aws(world: World) -> str:
    """A Secrets Manager at which nobody answers."""
    return world.integration(
        "aws",
        "secrets",
        "secret-store/aws/secrets-manager",
        region="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{free_port()}",
        auth_data={
            "type": "access-key-based",
            "access_key_id": "AKIA0000000000000000",
            "secret_access_key": "nobody-answers",
        },
    )


@pytest.fixture
def vault(world: World) -> str:
    """A Vault at which nobody answers."""
    return world.integration(
        "hashicorp",
        "vault",
        "secret-store/hashicorp/vault",
        vault_url=f"http://127.0.0.1:{free_port()}",
        kv_mount_path="secret",
        auth_data={"type": "token", "token": "nobody-answers"},
    )


def warned(world: World, name: str = "ci-bot", **manifest: Any) -> list[str]:
    return world.put(name, **manifest).warnings


def test_what_is_known_of_stores_is_what_they_publish():
    assert SecretsManagerSink.shortest_interval.total_seconds() == 600
    assert SecretsManagerSink.usual_refresh.total_seconds() == 3_600
    assert ParameterStoreSink.usual_refresh.total_seconds() == 300
    assert VaultSink.usual_refresh.total_seconds() == 600


def test_an_account_with_nothing_against_it_is_not_warned_about(world: World, aws: str, vault: str):
    places = [stored(aws, "ci/bot"), stored(vault, "ci/bot")]

    assert warned(world, auto_rotate=DAILY, secret_store_configs=places) == []
    assert warned(world, "by-hand", secret_store_config=stored(aws, "by/hand")) == []
    assert warned(world, "in-no-store") == []


def test_rotating_faster_than_the_store_bears_names_place_and_figure(world: World, aws: str):
    rotate = {"interval": "5m", "grace": "40m"}

    warnings = warned(world, auto_rotate=rotate, secret_store_config=stored(aws, "ci/bot"))

    assert warnings[0] == (
        f"{aws} ci/bot: this account rotates every 5m, but AWS Secrets Manager bears no more than "
        "one new version of a secret in 10m for long."
    )


def test_a_schedule_counts_by_its_shortest_gap(world: World, aws: str):
    rotate = {"schedule": "0,5 3 * * *", "grace": "40m"}

    warnings = warned(world, auto_rotate=rotate, secret_store_config=stored(aws, "ci/bot"))

    assert "rotates every 5m" in warnings[0]


def test_a_grace_shorter_than_what_readers_keep_names_place_and_figures(
    world: World, aws: str, vault: str
):
    places = [stored(aws, "ci/bot"), stored(vault, "ci/bot")]

    warnings = warned(
        world, auto_rotate={"interval": "1d", "grace": "9m"}, secret_store_configs=places
    )

    assert warnings == [
        (
            f"{aws} ci/bot: the old token works for 9m, but those who read AWS Secrets Manager "
            "usually keep what they read for up to 1h: some may still use it when it ends."
        ),
        (
            f"{vault} ci/bot: the old token works for 9m, but those who read HashiCorp Vault "
            "(KV v2) usually keep what they read for up to 10m: some may still use it when it ends."
        ),
    ]


def test_a_grace_as_long_as_what_readers_keep_is_enough(world: World, vault: str):
    rotate = {"interval": "1d", "grace": "10m"}

    assert warned(world, auto_rotate=rotate, secret_store_config=stored(vault, "ci/bot")) == []


def test_more_copies_than_the_limit_writes_in_half_the_grace_are_said(world: World):
    one, _ = world.store("one", per_second=0.5, quota="account-1")
    two, _ = world.store("two", per_second=0.5, quota="account-1")
    rotate = {"interval": "1h", "grace": "10s"}
    enough = warned(world, "a-bot", auto_rotate=rotate, secret_store_config=stored(one, "a"))
    warned(world, "b-bot", auto_rotate=rotate, secret_store_config=stored(two, "b"))

    (warning,) = warned(world, "c-bot", auto_rotate=rotate, secret_store_config=stored(two, "c"))

    assert enough == []
    assert warning == (
        f"{one}, {two}: writing all 3 copies once takes at least 6s at 0.5 calls a second, more "
        "than half of this account's grace of 10s: if all rotate together, old tokens have to be "
        "held."
    )


def test_an_account_that_nobody_hears_of_is_warned_about_unless_somebody_is_told(world: World):
    channel, _ = world.channel()

    assert warned(world, auto_rotate=HOURLY) == [NOBODY_HEARS]
    assert warned(world, auto_rotate=HOURLY, notification_target=told_by(channel)) == []


def test_the_warnings_of_an_account_can_be_read_later(world: World, vault: str):
    rotate = {"interval": "1d", "grace": "9m"}
    given = warned(world, auto_rotate=rotate, secret_store_config=stored(vault, "ci/bot"))

    view = find_account(world.runtime, world.admin, "ci-bot")

    assert warnings_of(world.runtime, view) == given != []


def test_a_rehearsal_warns_too(world: World, vault: str):
    given = {
        "name": "ci-bot",
        "auto_rotate": {"interval": "1d", "grace": "9m"},
        "secret_store_config": stored(vault, "ci/bot"),
    }

    rehearsed = put_account(world.runtime, world.admin, given, dry_run=True)

    assert rehearsed.warnings == world.put(**given).warnings != []
