"""Tokens sent to their stores again, as the public SDK asks for it."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from truefoundry_sdk import (
    SyncTokenInSecretStoreInfo,
    TrueFoundry,
)
from truefoundry_sdk.core.api_error import ApiError

from core.errors import PlaceRefused
from core.tokens import Token
from services.delivery import syncing
from services.engine import tokens
from tests.api.calls import NOWHERE, ONCE, kept_in, put, rows
from tests.support.working_bell import WorkingBell
from tests.support.world import World

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def token_of(client: TrueFoundry, account_id: str) -> Token:
    return Token(client.virtual_accounts.get_token(account_id).token)


def sync(client: TrueFoundry, account_id: str, **asked: bool) -> SyncTokenInSecretStoreInfo:
    answer = client.virtual_accounts.sync_to_secret_store(account_id, request_options=ONCE, **asked)
    return answer.sync_token_in_secret_store_info


def test_a_token_that_was_written_already_is_not_sent_again(client: TrueFoundry, world: World):
    fqn, store = world.store()
    account = put(client, secret_store_config=kept_in(fqn))
    world.drain()
    before = rows(world)

    synced = sync(client, account.id)

    assert (synced.updated_at, synced.jwt_id) == ("2026-03-02T09:00:00Z", account.jwt_id)
    assert synced.error is None
    assert rows(world) == before
    assert len(store.puts) == 1


@pytest.mark.law(6)
def test_force_writes_a_token_again_as_a_new_revision(client: TrueFoundry, world: World):
    fqn, store = world.store()
    account = put(client, secret_store_config=kept_in(fqn))
    world.drain()
    world.clock.pass_(minutes=5)
    world.runtime.bell = WorkingBell(world)

    synced = sync(client, account.id, force=True)

    assert (synced.updated_at, synced.error) == ("2026-03-02T09:05:00Z", None)
    assert [mark.revision for _, mark in store.puts] == [1, 2]


def test_a_token_that_has_not_arrived_is_sent(client: TrueFoundry, world: World):
    account = put(client, secret_store_config=kept_in(world.file_store()))
    world.runtime.bell = WorkingBell(world)

    synced = sync(client, account.id)

    assert (synced.jwt_id, synced.error) == (account.jwt_id, None)
    assert world.file("ci/token") == token_of(client, account.id).reveal()


def test_a_store_that_does_not_answer_is_waited_for_ten_seconds(client: TrueFoundry, world: World):
    account = put(client, secret_store_config=kept_in(world.file_store()))

    synced = sync(client, account.id)

    assert (synced.updated_at, synced.jwt_id, synced.error) == ("", "", "still pending")
    assert world.clock.now() == START + timedelta(seconds=10)


def test_the_ninth_to_wait_is_answered_without_waiting(client: TrueFoundry, world: World):
    account = put(client, secret_store_config=kept_in(world.file_store()))
    with ExitStack() as eight:
        for _ in range(8):
            eight.enter_context(syncing.WAITERS)

        synced = sync(client, account.id)

    assert synced.error == "still pending"
    assert world.clock.now() == START


def test_a_store_that_refuses_the_path_is_told(client: TrueFoundry, world: World):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("It is somebody else's.")
    account = put(client, secret_store_config=kept_in(fqn))
    world.runtime.bell = WorkingBell(world)

    synced = sync(client, account.id)

    assert (synced.jwt_id, synced.error) == ("", "It is somebody else's.")


def test_an_older_token_in_the_store_is_told_as_what_is_there(client: TrueFoundry, world: World):
    account = put(client, secret_store_config=kept_in(world.file_store()))
    world.drain()
    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=60)

    synced = sync(client, account.id)

    assert (synced.jwt_id, synced.error) == (account.jwt_id, "still pending")


def test_an_account_without_a_store_has_nothing_to_send(client: TrueFoundry):
    account = put(client)

    with pytest.raises(ApiError) as refused:
        sync(client, account.id)

    assert refused.value.status_code == 409
    assert refused.value.body["message"] == "ci-bot has no secret store configured."


def test_an_account_without_a_token_has_nothing_to_send(client: TrueFoundry, world: World):
    account = put(client, secret_store_config=kept_in(world.file_store()))
    tokens.revoke_all(world.runtime, world.admin, account.id)

    with pytest.raises(ApiError) as refused:
        sync(client, account.id, force=True)

    assert refused.value.status_code == 409


@pytest.mark.parametrize("account_id", [NOWHERE, "no-uuid"])
def test_an_account_that_is_not_there_is_not_synced(client: TrueFoundry, account_id: str):
    with pytest.raises(ApiError) as missing:
        sync(client, account_id)

    assert missing.value.status_code == 404
