import json
from pathlib import Path

import pytest

from core.sealing import MasterKey
from services.integrations.integrations import pause_lane
from services.operation.pulse import Pulse
from tests.support.command import Keyturn
from tests.support.ports import LOOPBACK, free_port
from tests.support.world import World


def test_a_healthy_installation_is_told_line_by_line(keyturn: Keyturn, world: World):
    world.store()
    Pulse(world.runtime, "worker").beat()

    said = keyturn.said("doctor")

    lines = said.splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    assert lines[0] == "ok       database: sqlite answers"
    assert lines[-1] == "ok       acme:custom:vault-account:secret-store:vault: in memory"


def test_findings_as_json_say_what_to_do(keyturn: Keyturn):
    findings = keyturn.json("doctor")

    processes = next(finding for finding in findings if finding["what"] == "processes")
    assert processes == {
        "what": "processes",
        "health": "warning",
        "said": "running: none",
        "todo": "No worker is running: start `keyturn worker` and `keyturn beat`.",
    }


def test_a_warning_alone_is_no_failure(keyturn: Keyturn):
    said = keyturn.said("doctor")

    assert "warning  processes: running: none\n         No worker is running" in said


@pytest.mark.parametrize("where", ["sqlite:////nowhere/keyturn.db", "closed port"])
def test_a_database_that_is_away_fails_and_is_told_with_what_to_do(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch, where: str
):
    closed = f"postgresql+psycopg://keyturn:canary-password@{LOOPBACK}:{free_port()}/keyturn"
    monkeypatch.setenv("KEYTURN_DATABASE_URL", closed if where == "closed port" else where)

    ended = keyturn("doctor")

    assert ended.code == 1
    assert ended.out.splitlines() == [
        "failed   database: The database does not answer (OperationalError).",
        "         Start it, correct KEYTURN_DATABASE_URL, or run `keyturn migrate`.",
        "ok       broker: in memory, as `keyturn up` has it",
    ]
    assert "canary" not in ended.err


def test_a_database_without_its_schema_is_told_with_the_command_that_makes_it(bare: Keyturn):
    ended = bare("doctor", "--json")

    database, broker = json.loads(ended.out)
    assert (ended.code, database["health"], broker["health"]) == (1, "failed", "ok")
    assert database["said"] == "The database has no schema yet: run `keyturn migrate`."


def test_a_wrong_master_key_is_told_with_the_one_that_is_needed(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch
):
    before = keyturn.said("doctor")
    right = before.split("opens every data key (")[1][:12]
    wrong = MasterKey.generate()
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", wrong)

    ended = keyturn("doctor")

    assert ended.code == 1
    assert f"failed   master key: The database is sealed with master key {right}" in ended.out
    assert "Put the key that is named into KEYTURN_MASTER_KEYS" in ended.out
    assert wrong not in ended.out + ended.err


def test_no_master_key_at_all_is_a_failure_even_where_nothing_is_sealed(
    bare: Keyturn, monkeypatch: pytest.MonkeyPatch
):
    bare.said("migrate")
    monkeypatch.delenv("KEYTURN_MASTER_KEYS")

    ended = bare("doctor")

    assert ended.code == 1
    assert "failed   master key: none is configured" in ended.out


def test_a_broker_that_is_away_fails_and_the_rest_is_looked_at(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch
):
    url = f"redis://:canary-password@{LOOPBACK}:{free_port()}/0"
    monkeypatch.setenv("KEYTURN_BROKER_URL", url)

    ended = keyturn("doctor")

    assert ended.code == 1
    assert "failed   broker: OperationalError\n         Start the broker, or correct" in ended.out
    assert "ok       rotation: nothing is overdue or held" in ended.out
    assert "canary" not in ended.out + ended.err


def test_a_broker_that_is_there_answers(
    keyturn: Keyturn, redis_server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KEYTURN_BROKER_URL", redis_server.url)

    assert "ok       broker: answers" in keyturn.said("doctor")


def test_a_paused_lane_fails_until_the_command_that_is_told_resumes_it(
    keyturn: Keyturn, world: World
):
    fqn, _ = world.store()
    lane = world.lane(fqn)
    pause_lane(world.runtime, world.admin, lane.id)

    paused = keyturn("doctor")
    keyturn.said("lanes", "resume", str(lane.id))

    assert paused.code == 1
    assert f"failed   lane {fqn}: paused: paused by tester" in paused.out
    assert f"Correct it, then `keyturn lanes resume {lane.id}`." in paused.out
    assert "lane" not in keyturn.said("doctor")


def test_an_integration_that_fails_its_check_is_told_with_what_to_do(
    keyturn: Keyturn, world: World, monkeypatch: pytest.MonkeyPatch
):
    fqn = world.file_store()
    monkeypatch.delenv("KEYTURN_FILE_ROOT")

    ended = keyturn("doctor")

    assert ended.code == 1
    assert f"failed   {fqn}: " in ended.out
    assert "set KEYTURN_FILE_ROOT to a folder" in ended.out
    assert "apply it again" in ended.out


def test_the_data_folder_is_looked_at_where_no_database_is_named(
    bare: Keyturn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("KEYTURN_DATABASE_URL")
    home = tmp_path / "elsewhere"
    home.mkdir()
    bare.said("migrate", "--data-dir", str(home))

    said = bare.said("doctor", "--data-dir", str(home))

    assert "ok       database: sqlite answers" in said
    assert (home / "keyturn.db").exists()
