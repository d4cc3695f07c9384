import json
from pathlib import Path

import pytest

from core.tokens import recognise
from models import AccountState, VirtualAccount
from tests.support.command import Keyturn
from tests.support.world import HOURLY, World, stored

DAILY = ["--interval", "1d", "--grace", "1h"]


def test_an_account_is_created_and_its_token_is_left_to_be_asked_for(
    keyturn: Keyturn, world: World
):
    said = keyturn.said("accounts", "create", "ci-bot")

    (account,) = world.rows(VirtualAccount)
    assert said == "ci-bot created, generation 1\nIts token: keyturn accounts token ci-bot\n"
    assert account.manifest == {"type": "virtual-account", "name": "ci-bot"}
    assert account.created_by["subjectSlug"].startswith("operator")


def test_the_token_of_a_new_account_is_shown_when_asked_for(keyturn: Keyturn):
    said = keyturn.said("accounts", "create", "ci-bot", "--show-token").splitlines()
    made = keyturn.json("accounts", "create", "web-bot", "--show-token")

    assert said == [
        "ci-bot created, generation 1",
        keyturn.said("accounts", "token", "ci-bot")[:-1],
    ]
    assert made["token"] == keyturn.said("accounts", "token", "web-bot")[:-1]


def test_a_second_call_changes_what_differs_and_nothing_else(keyturn: Keyturn, world: World):
    fqn = world.file_store()
    same = ["accounts", "create", "ci-bot", *DAILY, "--store", f"{fqn}=ci/token"]
    keyturn.said(*same)

    unchanged = keyturn.said(*same)
    updated = keyturn.said("accounts", "create", "ci-bot")

    assert unchanged == "ci-bot unchanged, generation 1\n"
    assert updated == "ci-bot updated, generation 1\n"
    assert keyturn.json("accounts", "show", "ci-bot")["next_rotation_at"] is None


def test_options_say_how_it_rotates_and_where_it_is_kept(keyturn: Keyturn, world: World):
    fqn = world.file_store()

    made = keyturn.json(
        "accounts", "create", "ci-bot", "--schedule", "0 3 * * MON", "--timezone",
        "Europe/Berlin", "--grace", "1d", "--store", f"{fqn}=ci/token", "--store", f"{fqn}=b=c",
    )  # fmt: skip

    assert made["manifest"]["auto_rotate"] == {
        "schedule": "0 3 * * MON",
        "timezone": "Europe/Berlin",
        "grace": "1d",
    }
    assert made["manifest"]["secret_store_configs"] == [stored(fqn), stored(fqn, "b=c")]
    assert "token" not in made


def test_a_manifest_comes_from_a_file_or_from_stdin(keyturn: Keyturn, world: World, tmp_path: Path):
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"name": "other", "autoRotate": HOURLY, "tags": {"team": "ci"}}))

    keyturn.said("accounts", "create", "ci-bot", "--manifest", str(file))
    piped = keyturn("accounts", "create", "web-bot", "--manifest", "-", answers=file.read_text())

    first, second = (account.manifest for account in world.rows(VirtualAccount))
    assert piped.code == 0
    assert first == {
        "name": "ci-bot",
        "type": "virtual-account",
        "auto_rotate": HOURLY,
        "tags": {"team": "ci"},
    }
    assert second == first | {"name": "web-bot"}


def test_an_option_wins_over_the_manifest(keyturn: Keyturn, tmp_path: Path):
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"auto_rotate": HOURLY}))

    made = keyturn.json("accounts", "create", "ci-bot", "--manifest", str(file), *DAILY)

    assert made["manifest"]["auto_rotate"] == {"interval": "1d", "grace": "1h"}


def test_a_warning_goes_to_stderr(keyturn: Keyturn):
    ended = keyturn("accounts", "create", "ci-bot", *DAILY, "--json")

    assert ended.err.startswith("warning This account rotates, but")
    assert json.loads(ended.out)["name"] == "ci-bot"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--interval", "soon"], "--interval: give a duration like 90s"),
        (["--interval", "0s"], "--interval: an interval is longer than nothing"),
        (["--interval", "0.1s"], "--interval: the smallest interval of this tenant is 1s"),
        (["--grace", "0s"], "--grace: the smallest grace of this tenant is 1s"),
        (["--schedule", "never"], "--schedule: give a cron expression"),
        (["--schedule", "0 3 * * *", "--timezone", "Mars"], "--timezone: give an IANA time zone"),
        (
            ["--interval", "1d", "--schedule", "0 3 * * *"],
            "--interval, --schedule: give schedule or interval, not both",
        ),
        (["--store", "files"], "--store: give INTEGRATION_FQN=PATH"),
        (["--store", "files=ci/token"], "--store files=ci/token: there is no secret-store"),
        (["--store", "acme:x=a", "--store", "b="], "--store b=: String should have at least 1"),
        (["--manifest", "/nowhere/at-all.json"], "--manifest: cannot be read: No such file"),
        (["--manifest", "/"], "--manifest: cannot be read: Is a directory"),
    ],
)
def test_bad_input_names_the_option_and_makes_no_account(
    keyturn: Keyturn, world: World, words: list[str], said: str
):
    refused = keyturn.refused("accounts", "create", "ci-bot", *words, code=1)

    assert refused.startswith(f"error {said}")
    assert world.rows(VirtualAccount) == []


def test_a_bad_name_is_told_as_the_argument_that_it_is(keyturn: Keyturn):
    refused = keyturn.refused("accounts", "create", "CI bot", code=1)

    assert refused.startswith("error name: a name has 3 to 36 characters")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "--manifest: is not JSON"),
        ("{", "--manifest: is not JSON"),
        ("\udcff", "--manifest: is not JSON"),
        ("[" * 100_000, "--manifest: is not JSON"),
        ("[]", "--manifest: is not a JSON object"),
        ('{"color": "red"}', "color: Extra inputs are not permitted"),
        ('{"auto_rotate": {"interval": "soon"}}', "auto_rotate.interval: give a duration"),
        ('{"expirationDate": 12}', "expiration_date: give a date like 2026-12-31"),
    ],
    ids=["empty", "cut off", "not text", "too deep", "a list", "extra", "a duration", "a date"],
)
def test_a_bad_manifest_is_refused_with_the_field(
    keyturn: Keyturn, world: World, tmp_path: Path, text: str, said: str
):
    file = tmp_path / "manifest.json"
    file.write_bytes(text.encode(errors="surrogateescape"))

    refused = keyturn.refused("accounts", "create", "ci-bot", "--manifest", str(file), code=1)

    assert refused.startswith(f"error {said}")
    assert world.rows(VirtualAccount) == []


def test_an_account_that_was_deleted_leaves_its_name_free(keyturn: Keyturn, world: World):
    keyturn.said("accounts", "create", "ci-bot")
    keyturn.said("accounts", "delete", "ci-bot", "--yes")

    keyturn.said("accounts", "create", "ci-bot")

    states = [account.state for account in world.rows(VirtualAccount)]
    assert states == [AccountState.DELETED, AccountState.ACTIVE]
    assert recognise(keyturn.said("accounts", "token", "ci-bot").strip())
