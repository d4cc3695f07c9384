"""Copies that stay in a store, or cannot be removed: no live token is left behind unreported."""

from typing import Any

from core.errors import PlaceRefused, Transient
from models import Delivery, DeliveryState, Integration, PlaceState
from services.accounts import account_life
from services.accounts.accounts import put_account
from services.engine import tokens
from services.integrations.integration_removal import delete_provider_account
from services.watching.doctor import Health, examine
from tests.support.world import HOURLY, World, stored, told_by


def kept_in(fqn: str, path: str = "ci/token") -> dict[str, Any]:
    return stored(fqn, path, keep_copy=True)


def told(world: World) -> list[dict[str, Any]]:
    return [event.facts for event in world.told("copy.kept")]


def found(world: World) -> dict[str, str]:
    """What the doctor says that is not well, but for what every test lacks."""
    findings = examine(world.runtime, lambda: "answers")
    unwell = {one.what: one.said for one in findings if one.health is not Health.OK}
    return {what: said for what, said in unwell.items() if what not in {"clock", "processes"}}


def test_a_copy_that_stays_with_a_live_token_is_told_and_warned_about(world: World):
    fqn, store = world.store()
    chat, channel = world.channel()
    _, token = world.create(secret_store_config=kept_in(fqn), notification_target=told_by(chat))
    world.drain()

    put = world.put(notification_target=told_by(chat))
    world.drain()

    assert store.held["ci/token"][1] == token.reveal()
    assert world.works(token)
    (warning,) = put.warnings
    assert warning == (
        f"{fqn} ci/token: the copy stays there as was asked for, and its token of generation 1 "
        "works until it is rotated and its grace has ended. Keyturn does not look after it any "
        "more."
    )
    assert told(world) == [
        {
            "account": "ci-bot",
            "lane": fqn,
            "path": "ci/token",
            "generation": 1,
            "valid_until": "",
        }
    ]
    assert [notice.type.value for notice, _ in channel.notices] == ["copy.kept"]
    assert world.places()[0].state is PlaceState.REMOVED


def test_until_when_a_predecessor_that_stays_works_is_said(world: World):
    fqn, store = world.store()
    account, _ = world.create(auto_rotate=HOURLY, secret_store_config=kept_in(fqn))
    world.drain()
    store.fail(Transient("down"), times=100)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    put = world.put(auto_rotate=HOURLY)

    assert "its token of generation 1 works until 2026-03-02T09:10:00Z" in put.warnings[-1]
    assert told(world)[0]["valid_until"] == "2026-03-02T09:10:00Z"


def test_a_token_that_may_have_arrived_without_an_answer_counts_as_there(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=kept_in(fqn))
    store.lose_answer(Transient("lost"))
    world.drain()

    put = world.put()

    assert "ci/token" in store.held
    assert len(put.warnings) == len(told(world)) == 1


def test_a_place_at_which_nothing_was_written_is_not_told(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=kept_in(fqn))

    put = world.put()
    world.drain()

    assert (put.warnings, told(world), store.held) == ([], [], {})


def test_a_copy_that_is_removed_is_not_told(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    world.drain()

    put = world.put()
    world.drain()

    assert (put.warnings, told(world), store.held) == ([], [], {})


def test_a_dead_token_that_stays_is_not_told(world: World):
    fqn, store = world.store()
    account, _ = world.create(secret_store_config=kept_in(fqn))
    world.drain()
    tokens.revoke_all(world.runtime, world.admin, account.id)

    put = world.put()

    assert "ci/token" in store.held
    assert (put.warnings, told(world)) == ([], [])


def test_what_a_deleted_account_leaves_behind_works_no_more_and_is_not_told(world: World):
    fqn, store = world.store()
    account, token = world.create(secret_store_config=stored(fqn))
    world.drain()

    account_life.delete_account(world.runtime, world.admin, account.id, keep_copies=True)

    assert "ci/token" in store.held
    assert not world.works(token)
    assert told(world) == []


def test_a_place_may_be_kept_when_its_account_is_deleted_although_others_go(world: World):
    fqn, store = world.store()
    account, _ = world.create(secret_store_configs=[kept_in(fqn, "kept"), stored(fqn, "gone")])
    world.drain()

    account_life.delete_account(world.runtime, world.admin, account.id)
    world.drain()

    assert list(store.held) == ["kept"]


def test_a_rehearsal_warns_of_what_would_stay_and_tells_nobody(world: World):
    fqn, _ = world.store()
    world.create(secret_store_config=kept_in(fqn))
    world.drain()

    rehearsed = put_account(world.runtime, world.admin, {"name": "ci-bot"}, dry_run=True)

    assert len(rehearsed.warnings) == 1
    assert told(world) == []
    assert world.places()[0].state is PlaceState.ACTIVE


def test_a_removal_that_fails_for_good_is_told_and_seen(world: World):
    fqn, store = world.store()
    chat, channel = world.channel()
    world.create(secret_store_config=stored(fqn), notification_target=told_by(chat))
    world.drain()
    store.at_path["ci/token"] = PlaceRefused("it is locked against deletion")

    world.put(notification_target=told_by(chat))
    world.drain()

    notice = channel.notices[0][0]
    assert [one.type.value for one, _ in channel.notices] == ["sync.failed"]
    assert (notice.facts["cause"], notice.facts["will_retry"]) == ("removed", False)
    assert world.deliveries(Delivery.place_id.is_not(None))[-1].state is DeliveryState.FAILED
    assert found(world)[f"copies in {fqn}"] == (
        "1 could not be removed: ci/token: it is locked against deletion"
    )


def test_a_removal_that_was_put_right_is_seen_no_more(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    world.drain()
    store.at_path["ci/token"] = PlaceRefused("it is locked against deletion")
    world.put()
    world.drain()
    store.at_path.clear()

    world.put(secret_store_config=stored(fqn))
    world.put()
    world.drain()

    assert store.held == {}
    assert found(world) == {}


def test_removals_outlive_their_integration_and_its_failing_lane_is_seen(world: World):
    fqn, store = world.store(concurrency=1)
    account, _ = world.create(secret_store_config=stored(fqn))
    world.drain()
    store.fail(Transient("down"))
    account_life.delete_account(world.runtime, world.admin, account.id)
    world.drain()

    delete_provider_account(world.runtime, world.admin, "provider-account/custom", "vault-account")
    during = found(world)
    world.clock.pass_(minutes=10)
    world.drain()

    assert world.rows(Integration)[0].deleted_at is not None
    assert during == {f"lane {fqn}": "does not answer: down"}
    assert store.held == {}
    assert found(world) == {}


def test_a_removal_that_failed_outlives_its_integration_for_the_doctor(world: World):
    fqn, store = world.store()
    account, _ = world.create(secret_store_config=stored(fqn))
    world.drain()
    store.at_path["ci/token"] = PlaceRefused("it is locked")
    account_life.delete_account(world.runtime, world.admin, account.id)
    world.drain()

    delete_provider_account(world.runtime, world.admin, "provider-account/custom", "vault-account")

    assert found(world) == {f"copies in {fqn}": "1 could not be removed: ci/token: it is locked"}
    assert len(world.told("sync.failed")) == 1


def test_a_copy_that_was_to_be_replaced_and_was_not_is_removed_after_all(world: World):
    fqn, store = world.store()
    _, token = world.create("old-bot", secret_store_config=stored(fqn))
    world.drain()
    world.put("old-bot")  # its removal is pending
    world.create("new-bot", secret_store_config=stored(fqn))  # replaces it instead

    world.put("new-bot")  # and takes its own place away again
    world.drain()

    assert world.works(token)
    assert store.held == {}


def test_a_third_account_may_still_replace_what_was_to_be_replaced(world: World):
    fqn, store = world.store()
    world.create("old-bot", secret_store_config=stored(fqn))
    world.drain()
    world.put("old-bot")
    world.create("new-bot", secret_store_config=stored(fqn))
    world.put("new-bot")

    _, token = world.create("third-bot", secret_store_config=stored(fqn))
    world.drain()

    assert store.held["ci/token"][1] == token.reveal()
