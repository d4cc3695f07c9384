import base64
import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.errors import MasterKeyMissing, Misconfigured
from core.sealing import MasterKey
from core.settings import Settings
from tests.support.settings_page import PAGE, page

# Read before the fixture that cleans the environment.
WRITES = os.environ.get("KEYTURN_WRITE_DOCS") == "1"
KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()


def ids(*keys: str) -> list[str]:
    return [MasterKey.parse(key).id for key in keys]


def test_a_setting_is_an_environment_variable_with_our_prefix(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KEYTURN_ROTATION_BATCH", "250")
    monkeypatch.setenv("KEYTURN_TICK", "2s")
    monkeypatch.setenv("KEYTURN_LOG_JSON", "true")

    settings = Settings()

    assert settings.rotation_batch == 250
    assert settings.tick == timedelta(seconds=2)
    assert settings.log_json


def test_a_variable_without_our_prefix_is_somebody_elses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ROTATION_BATCH", "250")

    assert Settings().rotation_batch == 500


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KEYTURN_ROTATION_BATCH", "250")

    assert Settings(rotation_batch=100).rotation_batch == 100


def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Settings(rotation_batches=1)


def test_settings_never_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().rotation_batch = 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KEYTURN_ROTATION_BATCH", "0"),
        ("KEYTURN_ROTATION_BATCH", "many"),
        ("KEYTURN_WORKER_THREADS", "1"),
        ("KEYTURN_TICK", "soon"),
        ("KEYTURN_EVENT_RETENTION", "-1d"),
        ("KEYTURN_LOG_LEVEL", "LOUD"),
        ("KEYTURN_AMBIENT_CREDENTIALS", "perhaps"),
    ],
)
def test_a_value_outside_what_is_allowed_is_refused_by_the_settings_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
):
    monkeypatch.setenv(variable, value)

    with pytest.raises(ValidationError) as refused:
        Settings()

    assert refused.value.errors()[0]["loc"] == (variable.removeprefix("KEYTURN_").lower(),)


@pytest.mark.parametrize("written", ["debug", "DEBUG", "Debug"])
def test_a_log_level_may_be_written_in_any_case(written: str):
    assert Settings(log_level=written).log_level == "DEBUG"


@pytest.mark.law(9)
def test_no_secret_is_shown_with_the_settings():
    settings = Settings(
        database_url="postgresql+psycopg://keyturn:hunter2@db/keyturn",
        broker_url="redis://:hunter2@broker",
        master_keys=KEY,
    )

    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"

    assert "hunter2" not in shown
    assert KEY not in shown


@pytest.mark.law(9)
def test_no_secret_is_quoted_when_a_setting_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", KEY)
    monkeypatch.setenv("KEYTURN_TICK", "hunter2")

    with pytest.raises(ValidationError) as refused:
        Settings()

    assert "hunter2" not in str(refused.value)
    assert KEY not in str(refused.value)


def test_without_a_database_url_there_is_a_file_in_the_data_folder(tmp_path: Path):
    assert Settings(data_dir=tmp_path).database == f"sqlite:///{tmp_path}/keyturn.db"


def test_a_database_url_is_used_as_it_is():
    url = "postgresql+psycopg://keyturn:hunter2@db/keyturn"

    assert Settings(database_url=url).database == url


def test_without_a_broker_url_the_broker_is_in_memory():
    assert Settings().broker == "memory://localhost/"


def test_a_broker_url_is_used_as_it_is():
    assert Settings(broker_url="redis://:hunter2@broker").broker == "redis://:hunter2@broker"


def test_the_data_folder_follows_the_desktops_convention(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert Settings().data_dir == tmp_path / "keyturn"


def test_the_data_folder_is_in_the_home_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Settings().data_dir == tmp_path / ".local" / "share" / "keyturn"


def test_files_and_the_hosts_own_identity_are_refused_unless_the_operator_says_otherwise():
    assert (Settings().file_root, Settings().ambient_credentials) == (None, False)


def test_at_home_files_and_the_hosts_own_identity_are_allowed(tmp_path: Path):
    home = Settings(data_dir=tmp_path).at_home()

    assert (home.file_root, home.ambient_credentials) == (tmp_path / "files", True)


def test_at_home_a_folder_for_files_that_was_set_stays(tmp_path: Path):
    home = Settings(data_dir=tmp_path, file_root=tmp_path / "own").at_home()

    assert home.file_root == tmp_path / "own"


def test_master_keys_come_from_the_environment_in_their_order():
    assert Settings(master_keys=f"{OTHER}, {KEY},").keys().ids == ids(OTHER, KEY)


def test_master_keys_come_from_a_file_one_a_line(tmp_path: Path):
    (tmp_path / "keys").write_text(f"{KEY}\n\n{OTHER}\n")

    assert Settings(master_keys_file=tmp_path / "keys").keys().ids == ids(KEY, OTHER)


def test_the_data_folders_own_master_key_is_used_where_none_is_set(tmp_path: Path):
    (tmp_path / "master-key").write_text(f"{KEY}\n")

    assert Settings(data_dir=tmp_path).keys().ids == ids(KEY)


def test_a_master_key_that_is_set_wins_over_the_data_folders(tmp_path: Path):
    (tmp_path / "master-key").write_text(f"{KEY}\n")

    assert Settings(data_dir=tmp_path, master_keys=OTHER).keys().ids == ids(OTHER)


def test_without_a_master_key_the_first_use_says_what_to_set(tmp_path: Path):
    with pytest.raises(MasterKeyMissing, match="set KEYTURN_MASTER_KEYS or"):
        _ = Settings(data_dir=tmp_path).keys().first


def test_both_sources_of_master_keys_at_once_are_refused(tmp_path: Path):
    settings = Settings(master_keys=KEY, master_keys_file=tmp_path / "keys")

    with pytest.raises(Misconfigured, match="not both"):
        settings.keys()


def test_a_master_keys_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"keys cannot be read: No such file or directory\."):
        Settings(master_keys_file=tmp_path / "keys").keys()


def test_a_master_keys_file_that_is_a_folder_is_named(tmp_path: Path):
    with pytest.raises(Misconfigured, match=r"cannot be read: Is a directory\."):
        Settings(master_keys_file=tmp_path).keys()


@pytest.mark.law(9)
def test_a_master_keys_file_of_raw_bytes_is_refused_without_being_quoted(tmp_path: Path):
    (tmp_path / "keys").write_bytes(b"\xff" * 32)

    with pytest.raises(Misconfigured) as refused:
        Settings(master_keys_file=tmp_path / "keys").keys()

    assert str(refused.value).endswith("is not text: put base64 in it.")


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_says_in_a_sentence_what_it_does(name: str):
    description = Settings.model_fields[name].description or ""

    assert description.endswith(".")
    assert len(description) > 20


@pytest.fixture
def _page_written_if_wanted() -> None:
    if WRITES:
        PAGE.write_text(page())


@pytest.mark.usefixtures("_page_written_if_wanted")
def test_the_page_of_settings_is_the_settings():
    assert PAGE.read_text() == page()
