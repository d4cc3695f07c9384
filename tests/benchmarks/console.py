"""Pages of the console among 100,000 accounts, 1,000,000 events and as many deliveries."""

import logging
import re
import time
from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID

import httpx
import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api.serving import settle
from core.callers import Caller, Seen, Tally
from core.ids import new_id
from models import Delivery, DeliveryState, TokenRow
from services.engine import tokens
from services.verify.use_rows import Batch, store
from tests.benchmarks.field import plant
from tests.benchmarks.past import live, people
from tests.console.served import composed
from tests.console.visits import Visitors
from tests.support.serving import serving
from tests.support.world import World

ACCOUNTS = 100_000
EVENTS = 1_000_000
PEOPLE = 20_000
_BATCH = 10_000
_ROWS = 50_000
_STRAGGLERS = 1_000
_CALLS = 60
_WARM = 5


def measure(world: World) -> tuple[dict[str, tuple[float, float]], int]:
    """Median and p99 of each page, in milliseconds; and the bytes of a first visit."""
    about = _fill(world)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with ExitStack() as stack:
        address = stack.enter_context(serving(composed(world.runtime)[0]))
        visitors = Visitors(world, address, stack)
        http = visitors.by_http(visitors.admin()).http
        pages = {
            "overview": "/",
            "accounts, first page": "/virtual-accounts",
            "accounts, last page": f"/virtual-accounts?offset={ACCOUNTS - 50}",
            "accounts, a search": "/virtual-accounts?q=0099",
            "accounts, by next rotation": "/virtual-accounts?sort=next",
            "accounts, in trouble": "/virtual-accounts?status=troubled",
            "accounts, paused": "/virtual-accounts?status=paused",
            "one account": f"/virtual-accounts/{about['account']}",
            "a form": "/virtual-accounts/new",
            "personal access tokens": "/personal-access-tokens",
            "users, first page": "/users",
            "users, last page": f"/users?offset={PEOPLE - 50}",
            "users, a search": "/users?q=0099",
            "a team of 2,000": f"/teams/{about['team']}",
            "a role that many hold": "/roles/tenant-admin",
            "integrations": "/integrations",
            "an integration of 100,000": f"/integrations/{about['integration']}",
            "events": "/activity",
            "events, warnings": "/activity?severity=warning",
            "events, of a rare type": "/activity?type=clock.jumped",
            "events, of an account": "/activity?account=bot-0000001",
            "deliveries": "/activity/deliveries",
            "deliveries, failed": "/activity/deliveries?shown=failed",
            "deliveries, waiting": "/activity/deliveries?shown=waiting",
            "deliveries, of an integration": (
                f"/activity/deliveries?integration={about['integration']}"
            ),
            "one delivery": f"/activity/deliveries/{about['delivery']}",
            "audit log": "/activity/audit",
            "audit log, of somebody": "/activity/audit?actor=tester",
            "security settings": "/settings/security",
            "secret groups": "/secret-groups",
        }
        settle()
        found = {name: _time(http, path) for name, path in pages.items()}
        return found, _first_load(http)


def _fill(world: World) -> dict[str, UUID]:
    """Accounts, a million events with their deliveries, old tokens in use, people.

    Answers what pages are about, by name.
    """
    fqn = world.file_store()
    lane = world.lane(fqn)
    now = world.clock.now()
    ids = []
    for start in range(0, ACCOUNTS, _BATCH):
        ids += plant(
            world,
            _BATCH,
            due_at=now + timedelta(seconds=start * 36),
            place_lanes=[lane],
            numbered_from=start,
        )
    account, _ = world.create("often-turned", auto_rotate={"interval": "1h", "grace": "30m"})
    for _ in range(30):
        tokens.rotate_account(world.runtime, world.admin, account.id)
    for start in range(0, EVENTS, 50_000):
        numbers = range(start, start + _ROWS)
        moments = [now - timedelta(seconds=number * 864_000 / EVENTS) for number in numbers]
        with world.runtime.database.writing() as session:
            live(world, session, ids, lane, numbers, moments)
    with world.runtime.database.writing() as session:
        _use(world, session, ids)
        team = people(world, session, PEOPLE)
    with world.runtime.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    failed = world.deliveries(Delivery.state == DeliveryState.FAILED)[0]
    return {
        "account": account.id,
        "team": team,
        "integration": lane.integration_id,
        "delivery": failed.id,
    }


def _use(world: World, session: Session, ids: list) -> None:
    """Some hundred accounts' old tokens work on, and are used."""
    now = world.clock.now()
    found = session.scalars(
        select(TokenRow).where(TokenRow.account_id.in_(ids[:_STRAGGLERS]))
    ).all()
    for row in found:
        row.created_at = now - timedelta(hours=2)
    caller = Caller("10.0.0.1", "curl", "verify")
    tallies = {row.id: Tally(3, now, {caller: Seen(3, now)}) for row in found}
    store(session, new_id(), Batch(1, tallies))


def _time(http: httpx.Client, path: str) -> tuple[float, float]:
    took = []
    for _ in range(_WARM + _CALLS):
        began = time.perf_counter()
        http.get(path).raise_for_status()
        took.append((time.perf_counter() - began) * 1_000)
    ordered = sorted(took[_WARM:])
    return ordered[_CALLS // 2], ordered[int(_CALLS * 0.99)]


def _first_load(http: httpx.Client) -> int:
    """The first page and all that it loads, as they are sent."""
    page = http.get("/")
    paths = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.text)
    return page.num_bytes_downloaded + sum(http.get(one).num_bytes_downloaded for one in paths)
