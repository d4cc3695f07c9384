"""Modules stay as small as those of the projects this one learns from."""

import tomllib
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
    "targets"
]["wheel"]["packages"]


def lengths(folder):
    return {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def of_the_product():
    found = {}
    for package in PACKAGES:
        found |= lengths(package)
    # A migration is written once, by a generator, and as long as what it changes.
    return {path: n for path, n in found.items() if "/versions/" not in path}


@pytest.mark.parametrize("found", [of_the_product(), lengths("tests")], ids=["product", "tests"])
def test_no_module_is_longer_than_400_lines(found):
    assert {path: n for path, n in found.items() if n > 400} == {}


def test_half_of_the_modules_have_at_most_100_lines():
    assert median(of_the_product().values()) <= 100


def test_nine_of_ten_modules_have_at_most_250_lines():
    assert quantiles(of_the_product().values(), n=10)[-1] <= 250
