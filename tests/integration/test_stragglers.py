"""The warning before an old token ends says who still uses it, and alarms nobody if no one does."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from keyturn_test_plugins import scripted

from models import VirtualAccount
from notifiers.base import Notice
from notifiers.pagerduty_events import events
from notifiers.words import headline, title
from services.engine import tokens
from services.verify.use_counting import UseCounter
from tests.support.world import HOURLY, World, told_by

LONG = {"interval": "60d", "grace": "40d"}


@pytest.fixture
def chat(world: World) -> tuple[str, scripted.Store]:
    return world.channel()


@pytest.fixture
def counter(world: World) -> UseCounter:
    return UseCounter(world.runtime)


def turned(
    world: World, fqn: str, policy: dict[str, str] = HOURLY, **choice: Any
) -> VirtualAccount:
    """An account with an old token in its grace."""
    account, _ = world.create(auto_rotate=policy, notification_targets=[told_by(fqn, **choice)])
    tokens.rotate_account(world.runtime, world.admin, account.id)
    world.drain()
    return account


def use(counter: UseCounter, token_id: UUID, *callers: tuple[str | None, str | None]) -> None:
    for address, agent in callers:
        counter.count(token_id, address, agent, "verify")
    counter.flush()


def warnings(store: scripted.Store) -> list[Notice]:
    return [n for n, _ in store.notices if n.type.value == "token.grace_ending"]


def test_who_still_uses_the_old_token_is_said_as_a_warning(
    world: World, chat: tuple[str, scripted.Store], counter: UseCounter
):
    account = turned(world, chat[0])
    old = world.tokens(account)[0]
    world.clock.pass_(minutes=6)
    use(counter, old.id, *[("192.0.2.7", "curl/8")] * 3, ("192.0.2.9", None), (None, "job/1"))
    world.clock.pass_(minutes=2)

    world.tell()
    world.drain()

    (notice,) = warnings(chat[1])
    assert notice.severity.name == "WARNING"
    assert notice.facts["uses"] == 5
    assert notice.facts["callers"][0] == "192.0.2.7 (curl/8)"
    assert sorted(notice.facts["callers"][1:]) == ["192.0.2.9", "an unknown address (job/1)"]
    assert datetime.fromisoformat(notice.facts["last_used_at"]).minute == 6
    assert title(notice) == "Old token ends soon and is still used"
    assert "and is still used: 5 calls since the new one" in headline(notice)


def test_an_old_token_that_rests_is_information(
    world: World, chat: tuple[str, scripted.Store], counter: UseCounter
):
    account = turned(world, chat[0])
    use(counter, world.tokens(account)[0].id, ("192.0.2.7", "curl/8"))
    world.clock.pass_(minutes=8)

    world.tell()
    world.drain()

    (notice,) = warnings(chat[1])
    assert notice.severity.name == "INFO"
    assert "uses" not in notice.facts
    assert title(notice) == "Old token ends soon"


def test_in_a_long_grace_who_came_within_a_week_is_a_straggler_and_who_left_before_is_not(
    world: World, chat: tuple[str, scripted.Store], counter: UseCounter
):
    account = turned(world, chat[0], LONG)
    old = world.tokens(account)[0]
    world.clock.pass_(days=31)
    use(counter, old.id, ("192.0.2.1", "left"))
    world.clock.pass_(days=2)
    use(counter, old.id, ("192.0.2.2", "weekly"))
    world.clock.pass_(days=6)

    world.tell()
    world.drain()

    (notice,) = warnings(chat[1])
    assert notice.facts["callers"] == ["192.0.2.2 (weekly)"]


def test_many_callers_are_told_by_the_first_few(
    world: World, chat: tuple[str, scripted.Store], counter: UseCounter
):
    account = turned(world, chat[0])
    world.clock.pass_(minutes=7)
    use(counter, world.tokens(account)[0].id, *((f"192.0.2.{n}", "x") for n in range(12)))
    world.clock.pass_(minutes=1)

    world.tell()
    world.drain()

    (notice,) = warnings(chat[1])
    assert (notice.facts["uses"], len(notice.facts["callers"])) == (12, 5)


def test_a_name_that_a_client_gave_itself_breaks_and_leaks_nothing(
    world: World, chat: tuple[str, scripted.Store], counter: UseCounter
):
    account = turned(world, chat[0])
    old = world.tokens(account)[0]
    canary = "tfy_vat_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghi"
    world.clock.pass_(minutes=7)
    use(counter, old.id, ("192.0.2.1", f"evil\r\nBcc: x@example.com <!channel> {canary}"))
    world.clock.pass_(minutes=1)

    world.tell()
    world.drain()

    (notice,) = warnings(chat[1])
    assert canary not in str(notice.facts)
    assert "\n" not in str(notice.facts["callers"][0])


def test_who_wants_warnings_only_hears_of_stragglers_and_of_their_tokens_end(
    world: World, chat: tuple[str, scripted.Store], counter: UseCounter
):
    account = turned(world, chat[0], minimum_severity="warning")
    used = world.tokens(account)[0]
    world.clock.pass_(minutes=7)
    use(counter, used.id, ("192.0.2.7", "curl/8"))
    world.clock.pass_(minutes=1)
    world.tell()
    world.clock.pass_(minutes=2)
    world.expire()
    tokens.rotate_account(world.runtime, world.admin, account.id)
    world.clock.pass_(minutes=8)
    world.tell()
    world.clock.pass_(minutes=2)
    world.expire()
    world.drain()

    told = [(n.type.value, n.facts["generation"]) for n, _ in chat[1].notices]
    assert told == [("token.grace_ending", 1), ("token.expired", 1)]
    grace = [
        (event.document["event_action"], event.document["dedup_key"])
        for notice, _ in chat[1].notices
        for event in events(notice)
        if "/grace/" in event.document.get("dedup_key", "")
    ]
    assert [action for action, _ in grace] == ["trigger", "resolve"]
    assert len({key for _, key in grace}) == 1
