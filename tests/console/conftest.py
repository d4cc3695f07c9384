"""A live console over a world on SQLite, and the people who come to it."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import structlog
from playwright.sync_api import Browser, BrowserContext, Page

from console.app import Console
from core.sealing import MasterKey
from tests.console.served import composed
from tests.console.visits import PATIENCE, Visitor, Visitors
from tests.support.browser import chromium, visiting
from tests.support.serving import Stage, serving
from tests.support.world import World, new_world

MASTER_KEY = MasterKey.generate()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The server's thread logs nothing into the middle of pytest's own lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and one tenant, for every test to copy."""
    folder = tmp_path_factory.mktemp("begun")
    file = folder / "keyturn.db"
    with new_world(f"sqlite:///{file}", folder / "files", master_keys=MASTER_KEY):
        pass
    return file


@pytest.fixture
def world(begun: Path, tmp_path: Path) -> Iterator[World]:
    shutil.copyfile(begun, tmp_path / "keyturn.db")
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with new_world(url, tmp_path / "files", master_keys=MASTER_KEY) as made:
        yield made


@pytest.fixture(scope="session")
def stage() -> Iterator[tuple[Stage, str]]:
    """One server for all tests, and its address."""
    stage = Stage()
    with serving(stage) as address:
        yield stage, address


@pytest.fixture
def console(world: World, stage: tuple[Stage, str]) -> Iterator[Console]:
    """The world's console, which is served beside its API."""
    player, _ = stage
    app, console = composed(world.runtime)
    with player.playing(app):
        yield console


@pytest.fixture
def server(console: Console, stage: tuple[Stage, str]) -> str:
    """Where the console is served."""
    return stage[1]


@pytest.fixture
def anybody(server: str) -> Iterator[httpx.Client]:
    """Somebody who is not signed in, as a browser says of itself."""
    with httpx.Client(base_url=server, headers={"Origin": server}, timeout=PATIENCE) as made:
        yield made


@pytest.fixture
def visitors(world: World, server: str) -> Iterator[Visitors]:
    """Signs people in, without a browser."""
    with ExitStack() as stack:
        yield Visitors(world, server, stack)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a module: while it runs, nothing else can run an event loop here."""
    with chromium() as made:
        yield made


@pytest.fixture
def context(browser: Browser, server: str) -> Iterator[BrowserContext]:
    with visiting(browser, server) as made:
        yield made


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A window of somebody who is not signed in."""
    return context.new_page()


@pytest.fixture
def ann(visitors: Visitors) -> Visitor:
    """A tenant's admin, without a browser."""
    return visitors.by_http(visitors.admin())


@pytest.fixture
def admin(page: Page, visitors: Visitors) -> Page:
    """A window of a tenant's admin."""
    return visitors.into(page, visitors.admin())
