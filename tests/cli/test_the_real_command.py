"""A few commands as a shell runs them: processes with pipes."""

import json
import os
import re
import subprocess

import pytest

from tests.support.command import Keyturn
from tests.support.installation import KEYTURN
from tests.support.world import HOURLY, World

ANSI = re.compile(r"\x1b\[")


def run(*words: str, answers: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """One command with its pipes, in a terminal's environment."""
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_COLOR")}
    return subprocess.run(
        [KEYTURN, *words],
        env=plain | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | env,
        input=answers,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["doctor"],
        ["plan", "--days", "2"],
        ["accounts", "show", "nobody"],
        ["accounts", "list", "--limit", "0"],
    ],
    ids=" ".join,
)
def test_output_to_a_pipe_has_no_colours(keyturn: Keyturn, world: World, words: list[str]):
    world.create("ci-bot", auto_rotate=HOURLY)

    ended = run(*words)

    assert not ANSI.search(ended.stdout + ended.stderr)
    assert ended.stdout + ended.stderr


def test_a_plan_into_a_pipe_says_nothing_on_stderr(keyturn: Keyturn, world: World):
    world.create("ci-bot", auto_rotate=HOURLY)

    assert run("plan").stderr == ""


def test_a_question_is_asked_on_stderr_so_that_stdout_is_one_document(
    keyturn: Keyturn, world: World
):
    world.create("ci-bot")

    ended = run("accounts", "revoke", "ci-bot", "--json", answers="y\n")

    assert ended.returncode == 0
    assert json.loads(ended.stdout) == {"name": "ci-bot", "ended": 1}
    assert "End EVERY token of ci-bot now?" in ended.stderr


def test_without_anybody_to_ask_nothing_is_changed(keyturn: Keyturn, world: World):
    _, token = world.create("ci-bot")

    ended = run("accounts", "delete", "ci-bot")

    assert ended.returncode == 1
    assert world.works(token)


def test_a_manifest_is_piped_in(keyturn: Keyturn):
    manifest = json.dumps({"auto_rotate": HOURLY})

    ended = run("accounts", "create", "ci-bot", "--manifest", "-", "--json", answers=manifest)

    assert json.loads(ended.stdout)["manifest"]["auto_rotate"] == HOURLY


def test_a_token_piped_on_is_whole_and_alone(keyturn: Keyturn, world: World):
    _, token = world.create("ci-bot")

    ended = run("accounts", "token", "ci-bot", COLUMNS="20")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{token.reveal()}\n", "")


def test_a_process_without_a_broker_ends_with_4_and_the_variable(keyturn: Keyturn):
    ended = run("worker")

    assert (ended.returncode, ended.stdout) == (4, "")
    assert ended.stderr.startswith("error Set KEYTURN_BROKER_URL")


def test_an_error_ends_with_its_code_and_one_line_on_stderr(keyturn: Keyturn):
    ended = run("accounts", "show", "ci-bot")

    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == "error There is no virtual account 'ci-bot' here.\n"
