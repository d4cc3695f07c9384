"""What is in the repository suits every machine, and what the documents point at is there."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.command import commands
from tests.support.missing import Missing

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
# Put together here, so that this file does not name them itself.
INDEXES = [
    ".".join(host)
    for host in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
    )
]
HOMES = ["/" + name + "/" for name in ("home", "root", "Users")]


def tracked():
    """Every text file that git keeps."""
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    try:
        listed = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        raise Missing("install git (apt), and run this in a checkout") from None
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file():
            try:
                yield name, path.read_text()
            except UnicodeDecodeError:
                continue


def test_no_file_names_a_package_index():
    named = [f"{name}: {host}" for name, text in tracked() for host in INDEXES if host in text]

    assert named == []


def test_no_file_knows_a_developers_machine():
    own = re.compile("|".join(rf"(?<![\w.~}}]){re.escape(home)}\w" for home in HOMES))

    assert [f"{name}: {found[0]}" for name, text in tracked() if (found := own.search(text))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(document):
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    local = [link.split("#")[0] for link in links if not re.match(r"\w+:|#", link)]

    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists(document):
    known = commands()
    groups = {name.partition(" ")[0] for name in known if " " in name}
    unknown = []
    for words in re.findall(r"\bkeyturn ([a-z][a-z -]*)", "\n".join(code(document.read_text()))):
        first, *rest = words.split()
        is_known = first in known or (first in groups and not rest)
        if not is_known and " ".join([first, *rest[:1]]) not in known:
            unknown.append(words)

    assert unknown == []


def code(text):
    """Code blocks and code spans."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return blocks + spans
