"""keyturn-client stands alone: small, documented, and without the server."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from keyturn_client.exec_options import parser_of

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"
PROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
MODULES = sorted((CLIENT / "keyturn_client").glob("*.py"))
PAGE = (ROOT / "docs" / "consumers.md").read_text()


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def test_it_needs_the_standard_library_and_httpx_alone():
    found = {name for path in MODULES for name in imported(path)}

    assert found - set(sys.stdlib_module_names) == {"httpx", "keyturn_client"}
    assert [re.match(r"\w+", name)[0] for name in PROJECT["dependencies"]] == ["httpx"]


def test_it_works_without_the_server(tmp_path):
    program = (
        "import sys, keyturn_client, keyturn_client.exec_command\n"
        "print(sorted({'core', 'services', 'cli', 'pydantic', 'requests'} & set(sys.modules)))"
    )
    path = tmp_path / "x.py"
    path.write_text(program)

    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_it_says_that_it_is_typed_and_every_module_says_what_it_is():
    assert (CLIENT / "keyturn_client" / "py.typed").exists()
    assert [
        path.name for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))
    ] == []
    assert [path.name for path in MODULES if len(path.read_text().splitlines()) > 260] == []


def test_every_option_is_on_the_page_and_nothing_else():
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `--"))
    options = {
        option
        for action in parser_of("keyturn-exec")._actions
        for option in action.option_strings
        if option.startswith("--")
    }

    assert set(re.findall(r"--[a-z][a-z-]*", table)) == options - {"--help"}


def test_every_constructor_is_in_the_readme():
    readme = (CLIENT / "README.md").read_text()

    assert set(re.findall(r"TokenSource\.(from_\w+)", readme)) == {
        "from_file",
        "from_vault",
        "from_keyturn",
    }
