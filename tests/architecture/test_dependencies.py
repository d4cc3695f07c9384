"""Every direct dependency has its reason, and every reason a dependency."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CLIENT = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())
REASONS = (ROOT / "docs" / "adr" / "0003-direct-dependencies.md").read_text()

GROUPS = {
    "Runtime": PROJECT["project"]["dependencies"],
    "Client": CLIENT["project"]["dependencies"],
    "Extras": [
        requirement
        for extra, requirements in PROJECT["project"]["optional-dependencies"].items()
        for requirement in requirements
        if extra != "all"
    ],
    "Development": PROJECT["dependency-groups"]["dev"],
}


def named(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower()


def reasons(heading):
    """The table under this heading: each dependency with its reason."""
    section = re.search(rf"^### {heading}\n(.*?)(?=^#|\Z)", REASONS, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE))


@pytest.mark.parametrize("group", GROUPS)
def test_every_direct_dependency_is_named_with_its_reason(group):
    assert {named(requirement) for requirement in GROUPS[group]} - set(reasons(group)) == set()


@pytest.mark.parametrize("group", GROUPS)
def test_no_reason_outlives_its_dependency(group):
    assert set(reasons(group)) - {named(requirement) for requirement in GROUPS[group]} == set()


@pytest.mark.parametrize("group", GROUPS)
def test_every_dependency_has_a_lower_bound_or_a_pin(group):
    loose = [name for name in GROUPS[group] if not re.search("[>=]=", name.split(";")[0])]

    assert [name for name in loose if not name.startswith("types-")] == []
