"""What a command ends with, and what it says when the settings are wrong."""

import pytest

from core.sealing import MasterKey
from services.engine.tokens import revoke_all
from tests.support.command import Keyturn
from tests.support.ports import LOOPBACK, free_port
from tests.support.world import World

LOOKING = [
    ["migrate"],
    ["doctor"],
    ["plan"],
    ["accounts", "list"],
    ["keys", "rotate"],
    ["lanes", "list"],
    ["tenants", "limits"],
    ["recover", "--yes"],
    ["clock", "trust"],
]
PROCESSES = ["api", "worker", "beat"]


def each(words: list[str]) -> str:
    return " ".join(words)


def test_0_is_success(keyturn: Keyturn):
    assert keyturn("accounts", "list").code == 0


def test_1_is_refused(keyturn: Keyturn, world: World):
    account, _ = world.create("ci-bot")
    revoke_all(world.runtime, world.admin, account.id)

    keyturn.refused("accounts", "rotate", "ci-bot", code=1)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["accounts", "create"], "name"),
        (["accounts", "list", "--limit", "0"], "--limit"),
        (["accounts", "list", "--colour", "red"], "--colour"),
        (["accounts", "revoke", "ci-bot", "--generation", "new"], "--generation"),
        (["admin", "bootstrap"], "--out"),
        (["tenants", "create", "globex"], "--email"),
        (["api", "--port", "70000"], "--port"),
        (["rotate"], "rotate"),
    ],
    ids=each,
)
def test_2_is_a_wrong_command_line_and_names_what_is_wrong(
    keyturn: Keyturn, words: list[str], named: str
):
    assert named in keyturn.refused(*words, code=2)


@pytest.mark.parametrize("words", [["show"], ["token"], ["list", "--search"]], ids=each)
def test_bytes_that_are_not_text_are_refused(keyturn: Keyturn, words: list[str]):
    said = keyturn.refused("accounts", *words, "\udcff", code=1)

    assert said == "error The command line holds bytes that are not text.\n"


def test_3_is_not_found(keyturn: Keyturn):
    keyturn.refused("accounts", "show", "ci-bot", code=3)


def test_4_is_misconfigured(keyturn: Keyturn, world: World, monkeypatch: pytest.MonkeyPatch):
    world.create("ci-bot")
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", MasterKey.generate())

    said = keyturn.refused("accounts", "token", "ci-bot", code=4)

    assert "this process holds" in said


@pytest.mark.parametrize("words", [words for words in LOOKING if words != ["doctor"]], ids=each)
def test_5_is_a_database_that_does_not_answer(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch, words: list[str]
):
    url = f"postgresql+psycopg://keyturn:canary@{LOOPBACK}:{free_port()}/keyturn"
    monkeypatch.setenv("KEYTURN_DATABASE_URL", url)

    said = keyturn.refused(*words, code=5)

    assert said == (
        "error The database does not answer as expected (OperationalError): run `keyturn doctor`.\n"
    )


@pytest.mark.parametrize("words", [*LOOKING, *([name] for name in PROCESSES)], ids=each)
def test_a_setting_that_cannot_be_read_is_named_and_never_quoted(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch, words: list[str]
):
    monkeypatch.setenv("KEYTURN_TICK", "canary")

    said = keyturn.refused(*words, code=4)

    assert said.startswith("error KEYTURN_TICK: ")
    assert "canary" not in said


@pytest.mark.parametrize("words", LOOKING, ids=each)
@pytest.mark.parametrize("url", ["canary", "", "canary://host/keyturn", "postgresql+canary://host"])
def test_a_database_url_that_means_nothing_is_named_and_never_quoted(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch, words: list[str], url: str
):
    monkeypatch.setenv("KEYTURN_DATABASE_URL", url)

    said = keyturn.refused(*words, code=4)

    assert said.startswith("error KEYTURN_DATABASE_URL: give a URL like postgresql+psycopg://")
    assert "canary" not in said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KEYTURN_MASTER_KEYS", "canary", "make one with `keyturn keys new`"),
        ("KEYTURN_MASTER_KEYS_FILE", "/nowhere/keys", "not both"),
    ],
)
def test_master_keys_that_cannot_be_read_are_told_and_never_quoted(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
):
    monkeypatch.setenv(name, value)

    refused = keyturn.refused("accounts", "list", code=4)

    assert said in refused
    assert "canary" not in refused


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("broker", [None, ""], ids=["unset", "empty"])
def test_a_process_without_a_broker_says_which_variable_to_set(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch, process: str, broker: str | None
):
    if broker is not None:
        monkeypatch.setenv("KEYTURN_BROKER_URL", broker)

    said = keyturn.refused(process, code=4)

    assert said.startswith("error Set KEYTURN_BROKER_URL (redis://... or amqp://...)")


@pytest.mark.parametrize("process", ["api", "worker"])
def test_a_process_does_not_start_over_a_database_without_its_schema(
    bare: Keyturn, monkeypatch: pytest.MonkeyPatch, process: str
):
    monkeypatch.setenv("KEYTURN_BROKER_URL", f"redis://{LOOPBACK}:{free_port()}/0")
    port = ["--port", "0"] if process == "api" else []

    assert "run `keyturn migrate`" in bare.refused(process, *port, code=5)


@pytest.mark.parametrize("process", ["api", "worker"])
def test_a_process_does_not_start_with_a_wrong_master_key(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch, process: str
):
    monkeypatch.setenv("KEYTURN_BROKER_URL", f"redis://{LOOPBACK}:{free_port()}/0")
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", MasterKey.generate())
    port = ["--port", "0"] if process == "api" else []

    assert "this process holds" in keyturn.refused(process, *port, code=4)


def test_a_data_folder_that_cannot_be_made_is_told_with_the_option(keyturn: Keyturn):
    said = keyturn.refused("up", "--data-dir", "/dev/null/keyturn", code=4)

    assert "The data folder /dev/null/keyturn cannot be used" in said
    assert "--data-dir" in said
