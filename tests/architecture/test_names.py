"""Names that say nothing, errors that vanish, waits without a deadline: none of them."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
    "targets"
]["wheel"]["packages"]
PRODUCT = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def nodes(paths, kind):
    """Every node of this kind, with where it stands."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kind):
                yield node, f"{path.relative_to(ROOT)}:{node.lineno}"


def imported(paths):
    """Everything that is imported, by its full name."""
    for node, where in nodes(paths, ast.Import | ast.ImportFrom):
        module = getattr(node, "module", None)
        for alias in node.names:
            yield f"{module}.{alias.name}" if module else alias.name, where


def catches_everything(handler):
    return handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"}


def does_nothing(handler):
    return all(
        isinstance(step, ast.Pass | ast.Continue)
        or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
        for step in handler.body
    )


def test_no_module_is_named_after_what_it_is_not():
    empty = {"utils.py", "util.py", "common.py", "helpers.py", "helper.py", "misc.py"}

    assert [path for path in PRODUCT + TESTS if path.name in empty] == []


def test_no_error_vanishes_without_a_trace():
    silent = [
        where
        for handler, where in nodes(PRODUCT + TESTS, ast.ExceptHandler)
        if catches_everything(handler) and does_nothing(handler)
    ]
    suppressed = [
        where
        for call, where in nodes(PRODUCT + TESTS, ast.Call)
        if ast.unparse(call.func).endswith("suppress")
        and any(ast.unparse(kind) in {"Exception", "BaseException"} for kind in call.args)
    ]

    assert silent + suppressed == []


def test_nothing_sleeps():
    watched = [path for path in PRODUCT + TESTS if "benchmarks" not in path.parts]
    calls = [
        where for call, where in nodes(watched, ast.Call) if ast.unparse(call.func) == "time.sleep"
    ]
    imports = [where for name, where in imported(watched) if name == "time.sleep"]

    assert calls + imports == []


def test_no_test_replaces_our_own_parts_by_mocks():
    mocks = {"unittest.mock", "mock", "pytest_mock"}

    found = [
        f"{where} {name}"
        for name, where in imported(TESTS)
        if name in mocks or name.rpartition(".")[0] in mocks
    ]

    assert found == []
