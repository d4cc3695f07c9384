"""Acknowledging a rotation: nobody is warned any more, and a grace may end with it, never early."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from keyturn_test_plugins import scripted
from sqlalchemy import insert

from core.errors import Forbidden, InvalidInput
from core.events import EventType
from core.roles import NOTHING
from models import AuditRow, TokenState, TokenUse, VirtualAccount
from services.notices.acknowledging import acknowledge, follow, look
from tests.support.world import HOURLY, World, stored, told_by

ENDS = {**HOURLY, "ack_ends_grace": True}
LINK = re.compile(r"http://127\.0\.0\.1:8400/acknowledge\?token=(tfy_ack_[0-9A-Za-z]+)")


@pytest.fixture
def chat(world: World) -> tuple[str, scripted.Store]:
    return world.channel()


def turned(world: World, chat: tuple[str, scripted.Store], **manifest: Any) -> VirtualAccount:
    """An account whose key was turned just now, and whose people were told."""
    given = {"auto_rotate": HOURLY, "notification_target": told_by(chat[0]), **manifest}
    account, _ = world.create(**given)
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()
    return account


def link_in(chat: tuple[str, scripted.Store], number: int = -1) -> str:
    found = LINK.fullmatch(chat[1].notices[number][0].acknowledge)
    assert found is not None
    return found[1]


def used(world: World, token_id: UUID, at: datetime) -> None:
    row = {
        "token_id": token_id,
        "process": uuid4(),
        "is_late": True,
        "count": 1,
        "last_used_at": at,
        "callers": [],
        "batch": 1,
    }
    world.runtime.database.write(lambda session: session.execute(insert(TokenUse), [row]))


def events(chat: tuple[str, scripted.Store]) -> list[EventType]:
    return [notice.type for notice, _ in chat[1].notices]


def test_a_notice_of_a_rotation_carries_a_link_and_the_database_its_hash_only(
    world: World, chat: tuple[str, scripted.Store]
):
    account = turned(world, chat)
    text = link_in(chat)

    old = world.tokens(account)[0]
    (event,) = world.told("token.rotated")

    assert look(world.runtime, text).generation == 1
    assert old.link_hash is not None
    kept = "".join(str(vars(row)) for row in [old, event, *world.deliveries()])
    assert text not in kept
    assert text not in repr(chat[1].notices[0][0])


def test_an_account_that_nobody_hears_of_has_no_link(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    world.clock.pass_(hours=1)
    world.rotate()

    old = world.tokens(account)[0]

    assert (old.link_hash, old.link_sealed) == (None, None)


def test_the_warning_carries_the_same_link(world: World, chat: tuple[str, scripted.Store]):
    turned(world, chat)

    world.clock.pass_(minutes=8)
    world.tell()
    world.drain()

    assert events(chat) == [EventType.TOKEN_ROTATED, EventType.GRACE_ENDING]
    assert link_in(chat, 0) == link_in(chat, 1)


def test_who_follows_the_link_ends_the_warnings(world: World, chat: tuple[str, scripted.Store]):
    account = turned(world, chat)

    done = follow(world.runtime, link_in(chat), address="10.0.0.7")
    world.clock.pass_(minutes=8)
    world.tell()
    world.drain()

    old = world.tokens(account)[0]
    assert events(chat) == [EventType.TOKEN_ROTATED]
    assert (done.account, list(done.generations), done.until) == ("ci-bot", [1], old.grace_until)
    assert old.acknowledged_at is not None
    assert old.link_sealed is None
    (row,) = world.rows(AuditRow, AuditRow.action == "token.acknowledged")
    assert (row.actor["kind"], row.actor["address"]) == ("link", "10.0.0.7")
    assert row.detail == {"generations": [1]}


def test_a_link_works_once(world: World, chat: tuple[str, scripted.Store]):
    turned(world, chat)
    text = link_in(chat)
    follow(world.runtime, text)

    with pytest.raises(InvalidInput, match="used already"):
        follow(world.runtime, text)

    assert look(world.runtime, text).by == "somebody who was told"
    assert len(world.rows(AuditRow, AuditRow.action == "token.acknowledged")) == 1


def test_looking_at_a_link_changes_nothing(world: World, chat: tuple[str, scripted.Store]):
    account = turned(world, chat)
    before = vars(world.tokens(account)[0])

    look(world.runtime, link_in(chat))

    after = vars(world.tokens(account)[0])
    assert {**before, "_sa_instance_state": None} == {**after, "_sa_instance_state": None}


def test_a_link_ends_with_the_grace(world: World, chat: tuple[str, scripted.Store]):
    turned(world, chat)
    text = link_in(chat)

    world.clock.pass_(minutes=10)

    with pytest.raises(InvalidInput, match="not valid any more"):
        look(world.runtime, text)
    with pytest.raises(InvalidInput, match="not valid any more"):
        follow(world.runtime, text)


@pytest.mark.parametrize("text", ["", "x", "tfy_ack_", "é"])
def test_what_is_no_link_is_refused_and_not_quoted(world: World, text: str):
    with pytest.raises(InvalidInput, match="token: this link") as refused:
        follow(world.runtime, text)

    assert "tfy_ack_" not in str(refused.value)


def test_an_accounts_own_token_is_no_link(world: World, chat: tuple[str, scripted.Store]):
    _, token = world.create(notification_target=told_by(chat[0]))

    with pytest.raises(InvalidInput, match="not valid any more"):
        follow(world.runtime, token.reveal())


def test_by_hand_older_generations_are_acknowledged_up_to_the_named_one(
    world: World, chat: tuple[str, scripted.Store]
):
    rotate = {"interval": "5m", "grace": "15m"}
    account, _ = world.create(auto_rotate=rotate, notification_target=told_by(chat[0]))
    for _ in range(2):
        world.clock.pass_(minutes=5)
        world.rotate()

    done = acknowledge(world.runtime, world.admin, account.id, 2)

    assert list(done.generations) == [1]
    acknowledged = [token.acknowledged_by for token in world.tokens(account)]
    assert acknowledged == ["tester", None, None]


def test_by_hand_the_newest_is_meant_unless_another_is_named(
    world: World, chat: tuple[str, scripted.Store]
):
    account = turned(world, chat)

    done = acknowledge(world.runtime, world.admin, account.id)
    again = acknowledge(world.runtime, world.admin, account.id)

    assert list(done.generations) == list(again.generations) == [1]
    assert len(world.rows(AuditRow, AuditRow.action == "token.acknowledged")) == 1


@pytest.mark.parametrize("generation", [0, 3])
def test_a_generation_that_there_is_not_is_refused(
    world: World, chat: tuple[str, scripted.Store], generation: int
):
    account = turned(world, chat)

    with pytest.raises(InvalidInput, match="generation: give a generation up to 2"):
        acknowledge(world.runtime, world.admin, account.id, generation)


def test_who_may_not_change_an_account_may_not_acknowledge(
    world: World, chat: tuple[str, scripted.Store]
):
    account = turned(world, chat)
    nobody = type(world.admin)(world.tenant_id, world.admin.kind, "eve", permits=NOTHING)

    with pytest.raises(Forbidden):
        acknowledge(world.runtime, nobody, account.id)


@pytest.mark.law(7)
def test_an_account_may_end_its_grace_with_it(world: World, chat: tuple[str, scripted.Store]):
    account = turned(world, chat, auto_rotate=ENDS)

    done = follow(world.runtime, link_in(chat))
    recorded = world.expire()

    old = world.tokens(account)[0]
    assert done.until == old.valid_until == world.clock.now()
    assert recorded == 1
    assert old.state is TokenState.EXPIRED
    assert world.told("token.hold_exhausted") == []
    assert len(world.told("token.expired")) == 1


@pytest.mark.law(7)
def test_without_that_the_grace_is_as_long_as_ever(world: World, chat: tuple[str, scripted.Store]):
    account = turned(world, chat)
    before = world.tokens(account)[0].valid_until

    follow(world.runtime, link_in(chat))

    assert world.tokens(account)[0].valid_until == before


@pytest.mark.law(7)
def test_a_grace_does_not_end_while_the_old_token_was_used_lately(
    world: World, chat: tuple[str, scripted.Store]
):
    account = turned(
        world, chat, auto_rotate={"interval": "1h", "grace": "30m", "ack_ends_grace": True}
    )
    old = world.tokens(account)[0]
    used(world, old.id, world.clock.now())
    world.clock.pass_(minutes=9)

    kept = follow(world.runtime, link_in(chat))
    world.clock.pass_(minutes=2)
    ended = acknowledge(world.runtime, world.admin, account.id)

    assert (kept.still_used, kept.until) == (True, old.grace_until)
    assert (ended.still_used, ended.until) == (False, world.clock.now())


@pytest.mark.law(7)
def test_a_grace_does_not_end_before_every_required_store_has_the_new_token(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = world.store()
    account, token = world.create(
        auto_rotate=ENDS, notification_target=told_by(chat[0]), secret_store_config=stored(fqn)
    )
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()

    waiting = acknowledge(world.runtime, world.admin, account.id)
    world.drain()
    confirmed = world.clock.now()
    done = acknowledge(world.runtime, world.admin, account.id)

    assert waiting.waits_for_stores
    assert waiting.until == world.tokens(account)[0].hold_until or waiting.until > confirmed
    assert store.held["ci/token"][0].revision == 2
    assert done.until == confirmed + timedelta(minutes=10)  # the pick-up time
    assert world.works(token)


@pytest.mark.law(7)
def test_an_end_that_is_nearer_already_is_not_moved(world: World, chat: tuple[str, scripted.Store]):
    fqn, _ = world.store()
    account = turned(world, chat, auto_rotate=ENDS, secret_store_config=stored(fqn))
    world.clock.pass_(minutes=5)
    before = world.tokens(account)[0].valid_until

    acknowledge(world.runtime, world.admin, account.id)

    assert world.tokens(account)[0].valid_until == before


def test_a_held_token_is_still_told_of_after_it_was_acknowledged(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, _ = world.store()
    account, _ = world.create(
        auto_rotate=HOURLY, notification_target=told_by(chat[0]), secret_store_config=stored(fqn)
    )
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    acknowledge(world.runtime, world.admin, account.id)

    world.clock.pass_(minutes=10)
    world.tell()

    assert world.told("token.grace_ending") == []
    assert len(world.told("token.grace_held")) == 1
