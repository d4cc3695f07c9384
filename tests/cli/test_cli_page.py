"""docs/cli.md says what the program does."""

import re
from pathlib import Path

from cli import output
from tests.support.command import commands

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
WORD = "[a-z]+(?:-[a-z]+)*"
ROWS = dict(re.findall(rf"^\| `keyturn ({WORD}(?: {WORD})*)(.*?)` \|", PAGE, re.MULTILINE))
# What the page says once for all commands.
COMMON = {"--data-dir", "--tenant"}


def test_every_command_is_on_the_page_and_nothing_else():
    assert sorted(ROWS) == sorted(commands())


def test_every_option_is_on_the_page_and_nothing_else():
    written = {name: set(re.findall(r"--[a-z-]+", synopsis)) for name, synopsis in ROWS.items()}

    assert written == {name: options - COMMON for name, options in commands().items()}


def test_the_common_options_are_explained():
    explained = set(re.findall(r"^- `(--[a-z-]+)", PAGE, re.MULTILINE))

    assert explained >= COMMON | {"--json", "--yes", "--show-token"}


def test_the_exit_codes_are_those_of_the_program():
    codes = dict(re.findall(r"^\| (\d) \| ([a-z ]*[a-z])", PAGE, re.MULTILINE))

    assert codes == {
        "0": "done",
        str(output.REFUSED): "refused",
        "2": "the command line is wrong",
        str(output.NOT_FOUND): "not found",
        str(output.MISCONFIGURED): "misconfigured",
        str(output.UNREADY): "not ready",
    }
