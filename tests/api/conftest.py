"""A live server over a world on SQLite, and the clients that talk to it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import structlog
from truefoundry_sdk import Permissions, TrueFoundry, VirtualAccountManifest

from api.app import create_app
from services.operation.bootstrap import ensure_admin
from tests.api.teams import Login
from tests.support.persons import Person, person
from tests.support.ports import free_port
from tests.support.serving import Stage, serving
from tests.support.world import World, new_world


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The server's thread logs nothing into the middle of pytest's own lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """On SQLite, or on the database that a test names by `parametrize("world", ..., indirect)`."""
    if getattr(request, "param", "sqlite") == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with new_world(url, tmp_path / "files") as made:
        yield made


@pytest.fixture(scope="session")
def stage() -> Iterator[tuple[Stage, str]]:
    """One server for all tests, since ending one takes longer than a test; and its address."""
    stage = Stage()
    with serving(stage) as address:
        yield stage, address


@pytest.fixture
def server(world: World, stage: tuple[Stage, str]) -> Iterator[str]:
    """The address of the world's HTTP service."""
    player, address = stage
    with player.playing(create_app(world.runtime)):
        yield address


@pytest.fixture
def admin_token(world: World, tmp_path: Path) -> str:
    """The first admin's token."""
    ensure_admin(world.runtime, world.tenant_id, tmp_path / "admin-token")
    return (tmp_path / "admin-token").read_text().strip()


@pytest.fixture
def anybody(server: str) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with httpx.Client(base_url=server, timeout=30) as made:
        yield made


@pytest.fixture
def http(server: str, admin_token: str) -> Iterator[httpx.Client]:
    """The admin, by plain HTTP."""
    bearer = {"Authorization": f"Bearer {admin_token}"}
    with httpx.Client(base_url=server, headers=bearer, timeout=30) as made:
        yield made


@pytest.fixture
def client(server: str, admin_token: str) -> Iterator[TrueFoundry]:
    """The admin, by the public SDK."""
    with httpx.Client(timeout=30) as connections:
        yield TrueFoundry(base_url=server, api_key=admin_token, httpx_client=connections)


@pytest.fixture
def nobody() -> str:
    """An address at which nobody answers."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def holders(server: str, client: TrueFoundry) -> Iterator[Callable[..., TrueFoundry]]:
    """Makes a virtual account that holds just these permissions; answers its client."""
    with httpx.Client(timeout=30) as connections:

        def make(name: str, *permissions: Permissions) -> TrueFoundry:
            manifest = VirtualAccountManifest(name=name, permissions=list(permissions) or None)
            account = client.virtual_accounts.create_or_update(manifest=manifest).data
            token = client.virtual_accounts.get_token(account.id).token
            return TrueFoundry(base_url=server, api_key=token, httpx_client=connections)

        yield make


@pytest.fixture
def login(server: str) -> Iterator[Login]:
    """The SDK in the hands of a person."""
    with ExitStack() as stack:

        def made(who: Person) -> TrueFoundry:
            connections = stack.enter_context(httpx.Client(timeout=30))
            return TrueFoundry(base_url=server, api_key=who.token, httpx_client=connections)

        yield made


@pytest.fixture
def ann(world: World) -> Person:
    return person(world, "ann@example.com")


@pytest.fixture
def bob(world: World) -> Person:
    return person(world, "bob@example.com")
