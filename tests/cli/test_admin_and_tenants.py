import stat
from datetime import timedelta
from pathlib import Path

import pytest

from core.tokens import recognise
from models import PersonalAccessToken, Tenant, TokenRow, User, VirtualAccount, WrappedKey
from services.people import personal_tokens
from services.people.personal_tokens import Wanted
from tests.support.command import Keyturn
from tests.support.world import World

EMPTY = "give more than nothing"
LENGTHS = "give a duration like 90s, 30m, 12h, 7d or P45D"


def test_the_first_admins_token_is_written_for_its_owner_alone(keyturn: Keyturn, tmp_path: Path):
    file = tmp_path / "new" / "admin-token"

    said = keyturn.said("admin", "bootstrap", "--out", str(file), "--tenant", "acme")

    assert said == f"The first admin's token is in {file}.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert recognise(file.read_text().strip())


def test_the_first_admins_token_ends_after_thirty_days(
    keyturn: Keyturn, world: World, tmp_path: Path
):
    keyturn.said("admin", "bootstrap", "--out", str(tmp_path / "token"), "--tenant", "acme")

    (row,) = world.rows(TokenRow)
    length = row.valid_until - row.created_at
    assert timedelta(days=30) <= length < timedelta(days=30, minutes=1)


def test_the_first_admin_is_one_and_a_second_try_says_what_to_do(keyturn: Keyturn, tmp_path: Path):
    file = tmp_path / "admin-token"
    keyturn.said("admin", "bootstrap", "--out", str(file), "--tenant", "acme")
    before = file.read_text()

    said = keyturn.refused("admin", "bootstrap", "--out", str(file), "--tenant", "acme", code=1)

    assert "`keyturn accounts rotate keyturn-admin --show-token`" in said
    assert file.read_text() == before


def test_bootstrap_makes_the_tenant_with_its_key_and_its_admin(bare: Keyturn, tmp_path: Path):
    bare.said("migrate")

    bare.said(
        "admin", "bootstrap", "--out", str(tmp_path / "token"),
        "--tenant", "acme", "--email", "ann@example.com",
    )  # fmt: skip

    assert [account["name"] for account in bare.json("accounts", "list")] == ["keyturn-admin"]
    assert bare.json("tenants", "limits")["smallest_interval"] == "30d"


@pytest.mark.parametrize("place", ["file/token", "folder"])
def test_a_place_that_cannot_be_written_is_refused_before_a_token_is_made(
    keyturn: Keyturn, world: World, tmp_path: Path, place: str
):
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder").mkdir()

    ended = keyturn("admin", "bootstrap", "--out", str(tmp_path / place), "--tenant", "acme")

    assert ended.code in {1, 2}
    assert "--out" in ended.err
    assert world.rows(VirtualAccount) == []


def test_without_a_master_key_no_tenant_is_half_made(
    bare: Keyturn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("KEYTURN_MASTER_KEYS")
    bare.said("migrate")

    said = bare.refused("admin", "bootstrap", "--out", str(tmp_path / "token"), code=4)

    assert "KEYTURN_MASTER_KEYS" in said
    assert "There is no tenant" in bare.refused("accounts", "list", code=1)


def test_a_tenant_is_made_with_a_key_of_its_own_and_only_once(keyturn: Keyturn, world: World):
    for _ in range(2):
        keyturn.said("tenants", "create", "globex", "--email", "bob@example.com")

    assert [tenant.name for tenant in world.rows(Tenant)] == ["acme", "globex"]
    with world.runtime.database.reading() as session:
        assert session.query(WrappedKey).count() == 2
    assert [user.email for user in world.rows(User)] == ["admin@example.com", "bob@example.com"]


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["tenants", "create", "Big Corp", "--email", "bob@example.com"], "error name: a name has"),
        (["tenants", "create", "globex", "--email", "bob"], "--email: give an address"),
        (["admin", "bootstrap", "--out", "x", "--tenant", "a:b"], "--tenant: a name has"),
        (["admin", "bootstrap", "--out", "x", "--email", "bob\n@x"], "--email: give an address"),
    ],
)
def test_a_bad_name_or_address_names_its_option(
    keyturn: Keyturn, world: World, words: list[str], option: str
):
    assert option in keyturn.refused(*words, code=1)
    assert [tenant.name for tenant in world.rows(Tenant)] == ["acme"]


def test_limits_are_shown_as_they_are_and_changed_as_they_are_given(keyturn: Keyturn):
    before = keyturn.json("tenants", "limits")

    changed = keyturn.json("tenants", "limits", "--smallest-interval", "36h", "--max-hold", "P2D")

    assert before == {
        "smallest_interval": "1s",
        "smallest_grace": "1s",
        "max_hold": "7d",
        "pick_up": "10m",
        "default_grace": "30d",
        "session_length": "12h",
        "pat_longest_life": None,
        "pat_most_per_user": None,
        "jwt_algorithm": "EdDSA",
        "on_leak": "revoke",
        "notification_targets": [],
    }
    assert changed == before | {"smallest_interval": "1d12h", "max_hold": "2d"}
    assert "smallest_interval     1d12h" in keyturn.said("tenants", "limits")


def test_limits_of_personal_tokens_are_set_and_lifted(keyturn: Keyturn):
    wanted = ("--pat-longest-life", "90d", "--pat-most-per-user", "5", "--session-length", "1h")
    changed = keyturn.json("tenants", "limits", *wanted, "--default-grace", "7d")
    lifted = keyturn.json(
        "tenants", "limits", "--pat-longest-life", "none", "--pat-most-per-user", "none"
    )

    assert (changed["pat_longest_life"], changed["pat_most_per_user"]) == ("90d", 5)
    assert (changed["session_length"], changed["default_grace"]) == ("1h", "7d")
    assert (lifted["pat_longest_life"], lifted["pat_most_per_user"]) == (None, None)


def test_who_is_told_of_accounts_without_targets_is_read_from_a_file(
    keyturn: Keyturn, world: World, tmp_path: Path
):
    fqn, _ = world.channel()
    file = tmp_path / "targets.yaml"
    file.write_text(f"- type: scripted\n  notificationChannel: {fqn}\n  minimumSeverity: warning\n")

    given = keyturn.json(
        "tenants", "limits", "--notification-targets", str(file), "--on-leak", "tell"
    )
    shown = keyturn.said("tenants", "limits")
    none = keyturn.json("tenants", "limits", "--notification-targets", "none")

    (told,) = given["notification_targets"]
    assert told == {
        "type": "scripted",
        "notification_channel": fqn,
        "minimum_severity": "warning",
    }
    assert given["on_leak"] == "tell"
    assert fqn in shown
    assert none["notification_targets"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets", "--notification-targets: give a file with a list of notification targets"),
        ("[1, 2]", "--notification-targets: give a file with a list of notification targets"),
        ("- type: email", "notification_targets.0.notification_channel: Field required"),
        (
            "- {type: scripted, notification_channel: x}",
            "notification_targets.0.notification_channel: there is no notification-channel",
        ),
    ],
)
def test_a_file_of_targets_that_is_none_is_refused(
    keyturn: Keyturn, tmp_path: Path, text: str, said: str
):
    file = tmp_path / "targets.yaml"
    file.write_text(text)

    refused = keyturn.refused("tenants", "limits", "--notification-targets", str(file), code=1)

    assert said in refused


def test_longer_personal_tokens_are_told_and_shortened_when_asked(keyturn: Keyturn, world: World):
    wanted = Wanted(name="endless")
    personal_tokens.create_for(world.runtime, world.admin, "admin@example.com", wanted)

    told = keyturn("tenants", "limits", "--pat-longest-life", "30d")
    shortened = keyturn("tenants", "limits", "--shorten")
    after = keyturn("tenants", "limits")

    assert "left as they are (--shorten shortens them): 1." in told.err
    assert "that go on for longer, shortened: 1." in shortened.err
    assert after.err == ""
    (row,) = world.rows(PersonalAccessToken)
    assert row.expires_at is not None


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--default-grace", "0s", f"--default-grace: {EMPTY}"),
        ("--pat-longest-life", "1h", "--pat-longest-life: give at least 1d: tokens end with a day"),
        ("--pat-most-per-user", "many", "--pat-most-per-user: give a number, or none"),
        ("--on-leak", "forget", "--on-leak: give one of revoke, rotate, tell"),
        ("--smallest-interval", "soon", f"--smallest-interval: {LENGTHS}"),
        ("--smallest-grace", "-1m", f"--smallest-grace: {LENGTHS}"),
        ("--smallest-grace", "0s", f"--smallest-grace: {EMPTY}"),
        ("--smallest-interval", "0s", f"--smallest-interval: {EMPTY}"),
        ("--pick-up", "200000d", "--pick-up: give a duration between 0 and 100 years"),
    ],
)
def test_a_bad_limit_names_its_option_and_changes_nothing(
    keyturn: Keyturn, option: str, value: str, said: str
):
    before = keyturn.json("tenants", "limits")

    refused = keyturn.refused("tenants", "limits", option, value, code=1)

    assert refused == f"error {said}\n"
    assert keyturn.json("tenants", "limits") == before


def test_where_there_are_several_tenants_a_command_asks_for_one(keyturn: Keyturn):
    keyturn.said("tenants", "create", "globex", "--email", "bob@example.com")

    unsaid = keyturn.refused("accounts", "list", code=1)
    unknown = keyturn.refused("accounts", "list", "--tenant", "initech", code=3)

    assert "Say which tenant: acme, globex." in unsaid
    assert "There is no tenant 'initech' here." in unknown
    assert keyturn.json("accounts", "list", "--tenant", "globex") == []


def test_another_tenants_account_is_not_found(keyturn: Keyturn):
    keyturn.said("tenants", "create", "globex", "--email", "bob@example.com")
    keyturn.said("accounts", "create", "ci-bot", "--tenant", "acme")

    said = keyturn.refused("accounts", "token", "ci-bot", "--tenant", "globex", code=3)

    assert "There is no virtual account 'ci-bot' here." in said
