"""import-linter keeps the layers (`make check`); this keeps its list of modules complete."""

import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def contracts():
    parser = ConfigParser(delimiters=("=",))
    parser.read(ROOT / ".importlinter")
    return parser


def test_every_package_of_the_wheel_stands_in_a_layer():
    packages = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    linted = contracts()
    layers = linted["importlinter:contract:layers"]["layers"].replace("|", " ")

    assert set(linted["importlinter"]["root_packages"].split()) == packages
    assert set(layers.split()) == packages


def modules_of(family):
    points = PROJECT["project"]["entry-points"][f"keyturn.{family}"].values()
    return {point.split(":")[0] for point in points}


@pytest.mark.parametrize("family", ["sinks", "notifiers"])
def test_every_plugin_is_kept_apart_from_the_others(family):
    packages = {".".join(module.split(".")[:2]) for module in modules_of(family)}

    apart = contracts()[f"importlinter:contract:{family}-apart"]["modules"]

    assert set(apart.split()) == packages


def test_plugins_that_share_a_package_are_kept_apart_too():
    in_aws = {module for module in modules_of("sinks") if module.startswith("sinks.aws.")}

    apart = contracts()["importlinter:contract:aws-apart"]["modules"]

    assert set(apart.split()) == in_aws
