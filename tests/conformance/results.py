"""The table of results, sink by case: what a whole run saw is written into docs/sinks/README.md."""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib import import_module

import pytest

from tests.conformance.sink_bench import DOCS
from tests.conformance.sinks import BENCHES, registered

MODULES = ("test_sinks", "test_sinks_in_trouble")
_PAGE = DOCS / "README.md"
_BEGIN, _END = "<!-- results -->", "<!-- /results -->"
_NODE = re.compile(r"tests/conformance/(?P<module>\w+)\.py::(?P<case>\w+)\[(?P<kind>[^\]]*)\]")
_SEEN: dict[tuple[str, str], set[str]] = defaultdict(set)


def cases() -> list[str]:
    """Every case, in the order of the modules."""
    return [
        name
        for module in MODULES
        for name, function in vars(import_module(f"tests.conformance.{module}")).items()
        if name.startswith("test_") and {"store", "service"} & set(_arguments(function))
    ]


def table(outcomes: Mapping[tuple[str, str], Iterable[str]]) -> str:
    """Cases down, sinks across; below it why some do not apply."""
    kinds = registered()
    reasons: dict[str, int] = {}
    lines = [
        f"| case | {' | '.join(f'`{kind}`' for kind in kinds)} |",
        f"|---|{':-:|' * len(kinds)}",
    ]
    for case in cases():
        cells = []
        for kind in kinds:
            why = BENCHES[kind].inapplicable.get(case)
            if why:
                cells.append(f"- {reasons.setdefault(why, len(reasons) + 1)}")
            else:
                cells.append("yes" if set(outcomes[case, kind]) == {"passed"} else "**no**")
        lines.append(f"| {_sentence(case)} | {' | '.join(cells)} |")
    notes = [f"{number}. {why}" for why, number in reasons.items()]
    return "\n".join([*lines, "", *notes])


def written() -> str:
    """The table as it stands on the page."""
    return _PAGE.read_text().split(_BEGIN)[1].split(_END)[0].strip()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remembers how a case ended on a sink; its parameters are one case."""
    found = _NODE.match(report.nodeid)
    if found and found["module"] in MODULES:
        kind = next((it for it in BENCHES if it in found["kind"]), None)
        if kind and (report.when == "call" or report.failed):
            _SEEN[found["case"], kind].add(report.outcome)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the table, if this run saw every cell of it."""
    if hasattr(session.config, "workerinput") or not _SEEN:
        return
    wanted = {
        (case, kind)
        for case in cases()
        for kind in registered()
        if case not in BENCHES[kind].inapplicable
    }
    page = _PAGE.read_text()
    if wanted <= set(_SEEN) and (new := table(_SEEN)) != written():
        before, after = page.split(_BEGIN)[0], page.split(_END)[1]
        _PAGE.write_text(f"{before}{_BEGIN}\n{new}\n{_END}{after}")


def _arguments(function: object) -> Iterable[str]:
    return inspect.signature(function).parameters if callable(function) else ()


def _sentence(case: str) -> str:
    return case.removeprefix("test_").replace("_s_", "'s ").replace("_", " ")
