from dataclasses import replace

import pytest

from core.errors import Conflict, Forbidden, NotFound, PlaceRefused, Transient
from core.roles import NOTHING
from models import DeliveryState
from services.accounts import account_life
from services.accounts.account_filters import Narrowing
from services.accounts.account_statuses import Status
from services.accounts.account_story import story_of
from services.accounts.account_views import Order, list_accounts, owners_of
from services.delivery.rolling_forward import roll_forward
from services.engine import tokens
from services.people.teams import put_team
from tests.support.world import HOURLY, World, stored, told_by


def names(world: World, **how) -> list[str]:
    views, _ = list_accounts(world.runtime, world.admin, **how)
    return [view.account.name for view in views]


def test_a_story_tells_generations_places_deliveries_and_events_the_newest_first(world: World):
    fqn, _ = world.store()
    chat, _ = world.channel()
    account, _ = world.create(
        auto_rotate=HOURLY, secret_store_config=stored(fqn), notification_target=told_by(chat)
    )
    world.drain()
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()

    story = story_of(world.runtime, world.admin, account.id)

    assert [token.generation for token in story.tokens] == [2, 1]
    assert [place.path for place in story.places] == ["ci/token"]
    assert {(one.integration, one.delivery.action.value) for one in story.sent} == {
        ("vault", "put"),
        ("chat", "notice"),
    }
    assert story.sent[0].delivery.created_at > story.sent[-1].delivery.created_at
    assert story.events[0].type.value == "token.rotated"
    assert {"read", "update", "manage", "delete", "read-token"} <= story.allowed


def test_whoever_may_not_read_an_account_hears_no_story(world: World):
    account, _ = world.create()

    with pytest.raises(Forbidden):
        story_of(world.runtime, replace(world.admin, permits=NOTHING), account.id)
    with pytest.raises(NotFound):
        story_of(world.runtime, world.admin, "nonsense")


def test_a_refused_copy_is_rolled_forward_as_the_current_token(world: World):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("permission denied")
    account, _ = world.create(secret_store_config=stored(fqn))
    world.drain()
    (failed,) = world.deliveries()
    assert failed.state is DeliveryState.FAILED
    token = tokens.rotate_account(world.runtime, world.admin, account.id)
    store.at_path.clear()

    roll_forward(world.runtime, world.admin, account.id, failed.id)
    world.drain()

    assert store.held["ci/token"][1] == token.reveal()
    (place,) = world.places()
    assert (place.confirmed_generation, place.last_error) == (2, None)


def test_a_notice_that_was_given_up_is_sent_as_it_was(world: World):
    chat, channel = world.channel()
    channel.always = Transient("no answer")
    account, _ = world.create(auto_rotate=HOURLY, notification_target=told_by(chat))
    tokens.rotate_account(world.runtime, world.admin, account.id)
    for _ in range(100):
        world.drain()
        world.clock.pass_(hours=1)
    (failed,) = [row for row in world.deliveries() if row.state is DeliveryState.FAILED]
    channel.always = None

    roll_forward(world.runtime, world.admin, account.id, failed.id)
    world.drain()

    again = next(row for row in world.deliveries() if row.id == failed.id)
    assert (again.state, again.error) == (DeliveryState.DONE, None)
    assert len(channel.notices) + len(channel.digests) >= 1


def test_what_got_through_is_not_rolled_forward(world: World):
    fqn, _ = world.store()
    chat, _ = world.channel()
    account, _ = world.create(secret_store_config=stored(fqn), notification_target=told_by(chat))
    tokens.rotate_account(world.runtime, world.admin, account.id)
    world.drain()

    for row in world.deliveries():
        with pytest.raises(Conflict):
            roll_forward(world.runtime, world.admin, account.id, row.id)


def test_another_accounts_delivery_is_not_found(world: World):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("permission denied")
    world.create(secret_store_config=stored(fqn))
    other, _ = world.create("other-bot")
    world.drain()
    (failed,) = world.deliveries()

    with pytest.raises(NotFound):
        roll_forward(world.runtime, world.admin, other.id, failed.id)


def test_a_copy_whose_place_is_gone_is_not_rolled_forward(world: World):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("permission denied")
    account, _ = world.create(secret_store_config=stored(fqn))
    world.drain()
    (failed,) = world.deliveries()
    world.put()

    with pytest.raises(Conflict, match="no longer"):
        roll_forward(world.runtime, world.admin, account.id, failed.id)


def test_a_list_is_sorted_by_name_by_what_is_due_and_by_age(world: World):
    world.create("beta", auto_rotate={"interval": "2h", "grace": "1m"})
    world.create("alpha")
    world.create("gamma", auto_rotate=HOURLY)

    assert names(world) == ["alpha", "beta", "gamma"]
    assert names(world, descending=True) == ["gamma", "beta", "alpha"]
    assert names(world, order=Order.NEXT) == ["gamma", "beta"]
    assert names(world, order=Order.NEXT, descending=True, limit=1) == ["beta"]
    assert names(world, order=Order.CREATED) == ["beta", "alpha", "gamma"]
    assert names(world, order=Order.CREATED, offset=1, limit=1) == ["alpha"]


def test_a_list_is_narrowed_to_how_accounts_are(world: World):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("permission denied")
    world.create("refused", secret_store_config=stored(fqn))
    paused, _ = world.create("paused", auto_rotate=HOURLY)
    account_life.pause_account(world.runtime, world.admin, paused.id)
    suspended, _ = world.create("suspended", auto_rotate=HOURLY)
    tokens.revoke_all(world.runtime, world.admin, suspended.id)
    world.create("scheduled", auto_rotate=HOURLY)
    world.create("ending", expiration_date="2026-03-02")
    world.drain()
    world.clock.pass_(days=1)

    found = {status: names(world, narrowing=Narrowing(status=status)) for status in Status}

    assert found == {
        Status.SCHEDULED: ["scheduled"],
        Status.MANUAL: ["ending", "refused"],
        Status.TROUBLED: ["refused"],
        Status.PAUSED: ["paused"],
        Status.SUSPENDED: ["suspended"],
        Status.EXPIRED: ["ending"],
    }


def test_the_owners_of_a_page_are_named(world: World):
    put_team(
        world.runtime,
        world.admin,
        {"type": "team", "name": "ops", "members": ["admin@example.com"]},
    )
    world.create("owned", ownedBy={"team": "ops"})
    world.create("free")

    views, _ = list_accounts(world.runtime, world.admin)

    assert list(owners_of(world.runtime, world.admin, views).values()) == ["ops"]
