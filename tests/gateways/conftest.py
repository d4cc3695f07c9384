"""Each test runs behind each of the gateways, with a Keyturn of its own that they ask."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from services.verify.use_counting import UseCounter
from tests.api.conftest import _quiet, stage
from tests.gateways.upstream import Upstream
from tests.support.gateways import KINDS, Running, running
from tests.support.ports import LOOPBACK
from tests.support.serving import Stage, serving
from tests.support.world import World, new_world

__all__ = ["_quiet", "stage"]

FAILED_LOGINS = 3


@pytest.fixture(scope="session")
def behind() -> Iterator[tuple[Upstream, str]]:
    """The API behind all gateways, and its address."""
    made = Upstream()
    with serving(made, lifespan="on") as address:
        yield made, address


@pytest.fixture
def upstream(behind: tuple[Upstream, str]) -> Upstream:
    behind[0].clear()
    return behind[0]


@pytest.fixture(scope="session", params=list(KINDS))
def gateway(
    request: pytest.FixtureRequest, stage: tuple[Stage, str], behind: tuple[Upstream, str]
) -> Iterator[Running]:
    """One of the gateways, from its sample."""
    with running(KINDS[request.param], keyturn=stage[1], api=behind[1]) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A Keyturn that trusts the gateways to name their clients."""
    settings = {"trusted_proxies": (ip_network(LOOPBACK),), "failed_logins": FAILED_LOGINS}
    with new_world(f"sqlite:///{tmp_path / 'keyturn.db'}", tmp_path / "files", **settings) as made:
        yield made


@pytest.fixture
def uses(world: World) -> UseCounter:
    """Counts uses, and writes them when told to."""
    world.runtime.uses = counter = UseCounter(world.runtime)
    return counter


@pytest.fixture
def keyturn(world: World, stage: tuple[Stage, str], upstream: Upstream) -> Iterator[None]:
    """The world's Keyturn, as the gateways see it."""
    service = create_app(world.runtime)
    with service.verifier.listener.listening(), stage[0].playing(service):
        yield


@pytest.fixture
def http(gateway: Running, keyturn: None) -> Iterator[httpx.Client]:
    """A client of the gateway."""
    with httpx.Client(base_url=gateway.url) as made:
        yield made
