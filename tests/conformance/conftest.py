"""Sinks' counterparts: `store` is each registered sink's in turn, `service` one that is called."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from core import logs
from tests.conformance.aws_bench import AwsBench, ParameterStoreBench
from tests.conformance.azure_bench import AzureBench
from tests.conformance.generic_bench import GenericBench
from tests.conformance.github_bench import GitHubBench
from tests.conformance.gitlab_bench import GitLabBench
from tests.conformance.google_bench import GoogleBench
from tests.conformance.sink_bench import CANARY, Bench, ServiceBench, be_a_host
from tests.conformance.sinks import BENCHES, registered
from tests.conformance.vault_bench import VaultBench


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each case runs on every registered sink that it applies to."""
    if "store" in metafunc.fixturenames:
        name = metafunc.function.__name__
        found = [kind for kind in registered() if kind in BENCHES]
        applicable = [kind for kind in found if name not in BENCHES[kind].inapplicable]
        if "shared" in metafunc.fixturenames:
            applicable = [kind for kind in applicable if BENCHES[kind].keyed]
        metafunc.parametrize("store", applicable, indirect=True)


@pytest.fixture(scope="module")
def stores() -> Iterator[dict[str, Bench]]:
    """Every bench, started once for a module."""
    made = {kind: bench() for kind, bench in BENCHES.items()}
    for bench in made.values():
        bench.start()
    yield made
    for bench in made.values():
        bench.stop()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that Keyturn's own log set-up writes at its most talkative."""
    before = _levels()
    stream = io.StringIO()
    logs.configure(json=False, level="DEBUG", stream=stream)
    ours = logging.getLogger().handlers[0]
    yield stream
    logging.getLogger().removeHandler(ours)
    structlog.reset_defaults()
    for name in _levels():
        logging.getLogger(name).setLevel(before.get(name, logging.NOTSET))


def _levels() -> dict[str, int]:
    known = [name for name, it in logging.root.manager.loggerDict.items() if hasattr(it, "level")]
    return {name: logging.getLogger(name).level for name in ["", *known]}


@pytest.fixture
def store(
    request: pytest.FixtureRequest,
    stores: dict[str, Bench],
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """A store that is empty and in order; after each case no secret is in anything it said."""
    be_a_host(monkeypatch)
    made = stores[request.param]
    yield made
    said = [log.getvalue(), *made.said, *(repr(sink) for sink in made.made)]
    made.finish()
    leaked = [text for text in said for it in (CANARY, *made.credentials) if it in text]
    assert leaked == []


@pytest.fixture
def service(store: Bench) -> ServiceBench:
    """Such a store that is called over the network."""
    assert isinstance(store, ServiceBench)
    return store


def _bench(make: type[Bench]) -> Any:
    """A fixture: one store's bench, started, emptied and stopped again."""

    @pytest.fixture
    def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
        be_a_host(monkeypatch)
        made = make()
        made.start()
        yield made
        made.finish()
        made.stop()

    return bench


def _double(of: str) -> Any:
    """A fixture: the double that this bench works with."""

    @pytest.fixture
    def double(request: pytest.FixtureRequest) -> Any:
        return request.getfixturevalue(of).double

    return double


vault_bench, vault = _bench(VaultBench), _double("vault_bench")
aws_bench, aws = _bench(AwsBench), _double("aws_bench")
parameter_bench = _bench(ParameterStoreBench)
generic_bench, generic = _bench(GenericBench), _double("generic_bench")
azure_bench, azure = _bench(AzureBench), _double("azure_bench")
google_bench, google = _bench(GoogleBench), _double("google_bench")
github_bench, github = _bench(GitHubBench), _double("github_bench")
gitlab_bench, gitlab = _bench(GitLabBench), _double("gitlab_bench")
