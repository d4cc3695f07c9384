"""Sinks' counterparts: `store` is each registered sink's in turn, `service` one that is called."""

import io
import logging
from collections.abc import Iterator

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
from tests.support.aws_double import AwsDouble
from tests.support.azure_double import AzureDouble
from tests.support.generic_double import GenericDouble
from tests.support.github_double import GitHubDouble
from tests.support.gitlab_double import GitLabDouble
from tests.support.google_double import GoogleDouble
from tests.support.vault_double import VaultDouble


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


@pytest.fixture
def vault_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultBench]:
    be_a_host(monkeypatch)
    made = VaultBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def vault(vault_bench: VaultBench) -> VaultDouble:
    return vault_bench.double


@pytest.fixture
def aws_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsBench]:
    be_a_host(monkeypatch)
    made = AwsBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def aws(aws_bench: AwsBench) -> AwsDouble:
    return aws_bench.double


@pytest.fixture
def parameter_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ParameterStoreBench]:
    be_a_host(monkeypatch)
    made = ParameterStoreBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def generic_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[GenericBench]:
    be_a_host(monkeypatch)
    made = GenericBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def generic(generic_bench: GenericBench) -> GenericDouble:
    return generic_bench.double


@pytest.fixture
def azure_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureBench]:
    be_a_host(monkeypatch)
    made = AzureBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def azure(azure_bench: AzureBench) -> AzureDouble:
    return azure_bench.double


@pytest.fixture
def google_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleBench]:
    be_a_host(monkeypatch)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    made = GoogleBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def google(google_bench: GoogleBench) -> GoogleDouble:
    return google_bench.double


@pytest.fixture
def github_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubBench]:
    be_a_host(monkeypatch)
    made = GitHubBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def github(github_bench: GitHubBench) -> GitHubDouble:
    return github_bench.double


@pytest.fixture
def gitlab_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLabBench]:
    be_a_host(monkeypatch)
    made = GitLabBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def gitlab(gitlab_bench: GitLabBench) -> GitLabDouble:
    return gitlab_bench.double
