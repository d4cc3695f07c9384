"""keyturn apply: manifests from files."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from models import AuditRow, Team, VirtualAccount
from tests.support.command import Keyturn
from tests.support.world import World

TEAM = "type: team\nname: platform\nmembers: [admin@example.com]\n"
ACCOUNT = "type: virtual-account\nname: ci-bot\nownedBy: {team: platform}\n"
STORE = """\
type: provider-account/custom
name: local
integrations:
  - type: integration/secret-store/custom/file
    name: files
"""
KEPT = """\
type: virtual-account
name: kept-bot
expiration_date: 2030-01-31
secret_store_config:
  type: secret-store
  integration_fqn: acme:custom:local:secret-store:files
  secret_path: ci/token
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files below a folder, whose documents refer to each other, the wrong way round."""
    made = tmp_path / "manifests" / "below"
    made.mkdir(parents=True)
    (made / "a.yaml").write_text(f"{ACCOUNT}---\n{KEPT}")
    (made / "b.yml").write_text(f"---\n{TEAM}---\n{STORE}---\n")
    (made / "notes.txt").write_text("not a manifest")
    return made.parent


def write(tmp_path: Path, text: str, name: str = "one.yaml") -> str:
    file = tmp_path / name
    file.write_text(text)
    return str(file)


def test_a_folder_is_applied_in_an_order_in_which_everything_is_found(
    keyturn: Keyturn, world: World, folder: Path
):
    said = keyturn.said("apply", "-f", str(folder))

    assert said.splitlines() == [
        "provider-account local created",
        "team platform created",
        "virtual-account ci-bot created",
        "virtual-account kept-bot created",
    ]
    owned, _ = world.rows(VirtualAccount)
    assert owned.team_id == world.rows(Team)[0].id


def test_applied_again_nothing_changes(keyturn: Keyturn, world: World, folder: Path):
    keyturn.said("apply", "-f", str(folder))
    before = len(world.rows(AuditRow))

    said = keyturn.said("apply", "-f", str(folder))

    assert {line.rpartition(" ")[2] for line in said.splitlines()} == {"unchanged"}
    assert len(world.rows(AuditRow)) == before
    assert "+" not in keyturn.said("apply", "-f", str(folder), "--dry-run")


def test_a_dry_run_shows_the_differences_and_writes_nothing(
    keyturn: Keyturn, world: World, folder: Path
):
    said = keyturn.said("apply", "-f", str(folder), "--dry-run")

    assert "team platform would be created\n" in said
    assert "+- admin@example.com\n" in said
    assert "+expiration_date: '2030-01-31'\n" in said
    assert (world.rows(Team), world.rows(VirtualAccount)) == ([], [])


def test_a_dry_run_shows_what_changes_only(keyturn: Keyturn, tmp_path: Path):
    keyturn.said("apply", "-f", write(tmp_path, TEAM))

    said = keyturn.said(
        "apply", "-f", write(tmp_path, TEAM + "description: Runs things\n"), "--dry-run"
    )

    assert said.splitlines()[0] == "team platform would be updated"
    changed = [line for line in said.splitlines()[3:] if line[:1] in {"+", "-"}]
    assert changed == ["+description: Runs things"]


def test_several_files_are_one_set(keyturn: Keyturn, tmp_path: Path):
    account, team = write(tmp_path, ACCOUNT, "a.yaml"), write(tmp_path, TEAM, "b.yaml")

    answer = keyturn.json("apply", "-f", account, "-f", team)

    assert [(one["type"], one["action"]) for one in answer] == [
        ("team", "create"),
        ("virtual-account", "create"),
    ]
    assert (answer[0]["file"], answer[0]["document"], answer[0]["name"]) == (team, 1, "platform")


def test_nothing_is_written_if_one_of_all_is_wrong(keyturn: Keyturn, world: World, tmp_path: Path):
    file = write(tmp_path, f"{TEAM}---\n{ACCOUNT}auto_rotate: {{interval: soon}}\n")

    said = keyturn.refused("apply", "-f", file, code=1)

    assert said.startswith(f"error {file}, document 2: auto_rotate.interval: ")
    assert world.rows(Team) == []


def test_every_wrong_document_is_named(keyturn: Keyturn, tmp_path: Path):
    file = write(
        tmp_path, f"{TEAM}color: red\n---\n{STORE.replace('files', 'X')}---\n{KEPT}generation: 1\n"
    )

    lines = keyturn.refused("apply", "-f", file, code=1).splitlines()

    assert [line.partition(": ")[0] for line in lines] == [
        f"error {file}, document {number}" for number in (2, 1, 3)
    ]
    assert [line.split(": ")[1] for line in lines] == ["integrations.0.name", "color", "generation"]


def test_a_set_without_what_it_refers_to_is_refused(keyturn: Keyturn, tmp_path: Path):
    said = keyturn.refused("apply", "-f", write(tmp_path, ACCOUNT), code=1)

    assert "document 1: ownedBy.team: there is no team of this name here" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("type: [", "line 1: this is not YAML: "),
        ("type: team\nname: a\nname: b\n", "line 3: this is not YAML: a key stands here twice"),
        ("1: 2\n", "line 1: this is not YAML: a key is not text"),
        ("- type: team\n", "document 1: give a manifest: "),
        (
            "type: cluster\nname: big\n",
            "document 1: type: give one of provider-account/<provider>, team, ",
        ),
        ("name: nameless\n", "document 1: type: give one of provider-account/<provider>, team, "),
        ("# nothing\n", "there is no manifest here"),
        (f"{TEAM}---\n{TEAM}", "document 2: "),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_place(
    keyturn: Keyturn, tmp_path: Path, text: str, told: str
):
    assert told in keyturn.refused("apply", "-f", write(tmp_path, text), code=1)


def test_a_credential_in_a_file_that_is_no_yaml_is_not_printed(keyturn: Keyturn, tmp_path: Path):
    file = write(tmp_path, "token: hunter2-hunter2\n  broken: [hunter2-hunter2\n")

    assert "hunter2" not in keyturn.refused("apply", "-f", file, code=1)


def test_an_empty_folder_holds_nothing_to_apply(keyturn: Keyturn, tmp_path: Path):
    (tmp_path / "empty").mkdir()

    assert "no .yaml or .yml file" in keyturn.refused("apply", "-f", f"{tmp_path}/empty", code=1)


def test_a_file_that_is_not_there_is_a_wrong_command_line(keyturn: Keyturn, tmp_path: Path):
    assert keyturn("apply", "-f", f"{tmp_path}/nothing.yaml").code == 2


def test_bytes_that_are_no_text_are_refused(keyturn: Keyturn, tmp_path: Path):
    file = tmp_path / "one.yaml"
    file.write_bytes(b"type: \xff\n")

    assert "give UTF-8 text" in keyturn.refused("apply", "-f", str(file), code=1)


def test_dates_and_words_stay_what_was_written(keyturn: Keyturn, world: World, tmp_path: Path):
    text = TEAM + "tags: {since: 2026-01-31, country: no, size: 3, on: 12:30}\n"

    keyturn.said("apply", "-f", write(tmp_path, text))

    (team,) = world.rows(Team)
    assert team.manifest["tags"] == {
        "since": "2026-01-31",
        "country": "no",
        "size": 3,
        "on": "12:30",
    }


def test_a_manifest_as_json_is_applied_too(keyturn: Keyturn, world: World, tmp_path: Path):
    keyturn.said("apply", "-f", write(tmp_path, json.dumps(yaml.safe_load(TEAM)), "one.json"))

    assert [team.name for team in world.rows(Team)] == ["platform"]


def test_json_of_a_dry_run_has_the_differences(keyturn: Keyturn, tmp_path: Path):
    answer: list[dict[str, Any]] = keyturn.json("apply", "-f", write(tmp_path, TEAM), "--dry-run")

    (one,) = answer
    assert one["action"] == "create"
    assert "+name: platform\n" in one["diff"]


def test_warnings_go_to_stderr(keyturn: Keyturn, tmp_path: Path):
    text = "type: virtual-account\nname: lonely\nauto_rotate: {interval: 1h, grace: 1m}\n"

    ended = keyturn("apply", "-f", write(tmp_path, text))

    assert ended.out == "virtual-account lonely created\n"
    assert ended.err.startswith("warning virtual-account lonely: This account rotates, but ")
