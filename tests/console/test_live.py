import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from console.app import Console
from core.actors import Actor
from services.accounts import account_life
from services.accounts.accounts import put_account
from services.audit.audit_chain import chain_due
from services.operation.bootstrap import ensure_tenant
from services.watching.event_feed import EventFeed
from tests.console.visits import Visitor, Visitors
from tests.support.world import HOURLY, LIMITS, World

PATIENCE = 20.0


@pytest.fixture
def over() -> threading.Event:
    """Set when the server is told to end."""
    return threading.Event()


@pytest.fixture
def live(console: Console, over: threading.Event) -> Iterator[Console]:
    with console.live.listening(over.is_set):
        yield console


def first_change(visitor: Visitor, begun: threading.Event, about: str = "") -> list[str]:
    """Listens until something has changed; answers what was heard."""
    heard: list[str] = []
    with visitor.http.stream(
        "GET", "/live", params={"about": about} if about else {}, timeout=PATIENCE
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            heard.append(line)
            begun.set()
            if line == "event: changed":
                break
    return heard


class Listening(threading.Thread):
    def __init__(self, visitor: Visitor, about: str = "") -> None:
        super().__init__(daemon=True)
        self.visitor, self.about, self.heard = visitor, about, None
        self.begun = threading.Event()
        self.start()
        assert self.begun.wait(PATIENCE)

    def run(self) -> None:
        with suppress(httpx.HTTPError):  # the test is over
            self.heard = first_change(self.visitor, self.begun, self.about)


def test_a_page_hears_that_something_has_happened(world: World, live: Console, visitors: Visitors):
    page = Listening(visitors.by_http(visitors.admin()))
    live.live.look()

    world.create()

    page.join(PATIENCE)
    assert page.heard == ["retry: 2000", "", "event: changed"]


def test_what_leaves_no_event_is_heard_of_when_it_is_chained(
    world: World, live: Console, visitors: Visitors
):
    mine, _ = world.create("mine", auto_rotate=HOURLY)
    page = Listening(visitors.by_http(visitors.admin()), str(mine.id))
    chain_due(world.runtime)
    live.live.look()

    world.put("other", tags={"of": "another"})
    chain_due(world.runtime)
    live.live.look()
    assert page.is_alive()
    world.put("mine", auto_rotate=HOURLY, tags={"env": "production"})
    chain_due(world.runtime)

    page.join(PATIENCE)
    assert page.heard is not None
    assert page.heard[-1] == "event: changed"


def test_a_page_about_one_account_hears_of_that_one_alone(
    world: World, live: Console, visitors: Visitors
):
    mine, _ = world.create("mine", auto_rotate=HOURLY)
    page = Listening(visitors.by_http(visitors.admin()), str(mine.id))
    live.live.look()

    world.create("other")
    live.live.look()
    assert page.is_alive()
    account_life.delete_account(world.runtime, world.admin, mine.id)

    page.join(PATIENCE)
    assert page.heard is not None


def test_nobody_listens_to_an_account_that_they_may_not_read(
    world: World, live: Console, visitors: Visitors
):
    account, _ = world.create()
    bob = visitors.by_http(visitors.member())

    assert bob.get("/live", params={"about": str(account.id)}).status_code == 403


def test_nobody_listens_without_being_signed_in(anybody: httpx.Client, live: Console):
    assert anybody.get("/live").headers["location"].startswith("/sign-in")


def test_one_person_does_not_take_every_seat(live: Console, visitors: Visitors):
    ann = visitors.by_http(visitors.admin())
    pages = [Listening(ann) for _ in range(10)]

    assert ann.get("/live").status_code == 204
    assert all(page.is_alive() for page in pages)


def test_a_server_that_ends_waits_for_no_open_page(
    live: Console, over: threading.Event, visitors: Visitors
):
    page = Listening(visitors.by_http(visitors.admin()))

    over.set()

    page.join(PATIENCE)
    assert page.heard == ["retry: 2000", ""]


def test_without_anybody_who_looks_the_browser_is_sent_away(console: Console, visitors: Visitors):
    assert visitors.by_http(visitors.admin()).get("/live").status_code == 204


def test_the_feed_answers_each_event_once_and_says_whose_it_is(world: World):
    feed = EventFeed(world.runtime)
    world.create("before")
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")

    assert feed.look().tenants == set()
    account, _ = world.create()
    heard = feed.look()

    assert heard.concerns(world.tenant_id, None)
    assert heard.concerns(world.tenant_id, account.id)
    assert not heard.concerns(other, None)
    put_account(world.runtime, Actor.operator(other, "them"), {"name": "their-bot"})
    assert feed.look().tenants == {other}
    assert feed.look().tenants == set()
