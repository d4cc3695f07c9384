"""Tokens of virtual accounts as the public SDK reads, regenerates and deletes them."""

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from truefoundry_sdk import (
    AutoRotate,
    IdentityProviderMapping,
    SyncTokenInSecretStoreInfo,
    TrueFoundry,
    UnprocessableEntityError,
    VirtualAccountManifest,
)
from truefoundry_sdk.core.api_error import ApiError

from core.errors import PlaceRefused
from core.tokens import Token
from models import AuditRow
from services import draining, syncing, tokens
from tests.api.calls import NOWHERE, ONCE, kept_in, put, rows
from tests.support.world import HOURLY, World

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def token_of(client: TrueFoundry, account_id: str) -> Token:
    return Token(client.virtual_accounts.get_token(account_id).token)


def live(client: TrueFoundry, account_id: str) -> list[tuple[int, str, datetime]]:
    """Generation, state and end of each token that works, the newest first."""
    jwts = client.virtual_accounts.get(account_id).data.jwts or []
    return [(jwt.metadata["generation"], jwt.metadata["state"], jwt.expiry) for jwt in jwts]


def test_the_current_token_can_be_read_again(client: TrueFoundry):
    account = put(client)

    first, second = token_of(client, account.id), token_of(client, account.id)

    assert first == second


@pytest.mark.law(9)
def test_who_read_a_token_is_in_the_audit_log_without_the_token(client: TrueFoundry, world: World):
    account = put(client)

    token = token_of(client, account.id)

    [row] = world.rows(AuditRow, AuditRow.action == "token.read")
    assert row.actor["name"] == "keyturn-admin"
    assert row.subject_name == "ci-bot"
    assert token.reveal() not in str(row.detail)


def test_a_regenerated_token_is_a_new_one(client: TrueFoundry, world: World):
    account = put(client)
    old = token_of(client, account.id)

    answer = client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=30)

    assert answer.token != old.reveal()
    assert token_of(client, account.id).reveal() == answer.token
    assert world.works(Token(answer.token))


def test_the_old_token_works_through_the_grace_that_was_asked_for(
    client: TrueFoundry, world: World
):
    account = put(client)
    old = token_of(client, account.id)

    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=30)

    world.clock.pass_(minutes=29, seconds=59)
    assert world.works(old)
    world.clock.pass_(seconds=1)
    assert world.refusal(old) == "out_of_grace"


def test_a_grace_may_be_a_fraction_of_a_minute(client: TrueFoundry):
    account = put(client)

    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=0.5)

    assert live(client, account.id) == [
        (2, "current", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (1, "grace", START + timedelta(seconds=30)),
    ]


def test_a_grace_is_not_bound_by_the_tenants_smallest(client: TrueFoundry, world: World):
    account = put(client)

    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=0.001)

    assert live(client, account.id)[1][2] == START + timedelta(milliseconds=60)


def test_a_grace_of_0_ends_the_old_token_with_the_answer(client: TrueFoundry, world: World):
    account = put(client)
    old = token_of(client, account.id)

    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=0)

    assert world.refusal(old) == "revoked"
    assert [generation for generation, _, _ in live(client, account.id)] == [2]


@pytest.mark.law(7)
def test_a_grace_of_0_is_not_held_for_a_store_that_is_behind(client: TrueFoundry, world: World):
    account = put(client, secret_store_config=kept_in(world.file_store()))
    old = token_of(client, account.id)

    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=0)

    assert not world.works(old)


@pytest.mark.law(5)
def test_a_grace_of_0_touches_no_earlier_token(client: TrueFoundry, world: World):
    account = put(client)
    first = token_of(client, account.id)
    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=60)

    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=0)

    assert world.works(first)
    assert [generation for generation, _, _ in live(client, account.id)] == [3, 1]


def test_regenerating_counts_as_a_rotation(client: TrueFoundry, world: World):
    account = put(client, auto_rotate=AutoRotate(**HOURLY))
    world.clock.pass_(minutes=40)

    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=1)

    after = client.virtual_accounts.get(account.id).data
    assert after.next_scheduled_rotation == "2026-03-02T10:40:00Z"


def test_regenerating_revives_an_account_whose_tokens_were_all_revoked(
    client: TrueFoundry, world: World
):
    account = put(client)
    tokens.revoke_all(world.runtime, world.admin, account.id)

    answer = client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=10)

    assert world.works(Token(answer.token))


def test_regenerating_after_the_expiration_date_is_a_conflict(client: TrueFoundry, world: World):
    account = put(client, expiration_date="2026-03-02")
    world.clock.pass_(days=1)

    with pytest.raises(ApiError) as refused:
        client.virtual_accounts.regenerate_token(
            account.id, grace_period_in_minutes=10, request_options=ONCE
        )

    assert refused.value.status_code == 409
    assert refused.value.body["message"] == ("ci-bot is past its expiration date; move that first.")


@pytest.mark.parametrize("minutes", [-1, 5_256_001, "soon", None])
def test_a_grace_outside_what_is_allowed_is_refused_by_its_name(
    client: TrueFoundry, minutes: object
):
    account = put(client)

    with pytest.raises(UnprocessableEntityError) as refused:
        client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=minutes)

    assert refused.value.body.message.startswith("gracePeriodInMinutes: ")


def test_deleting_the_current_token_replaces_it(client: TrueFoundry, world: World):
    account = put(client)
    old = token_of(client, account.id)

    client.virtual_accounts.delete_jwt(account.id, account.jwt_id or "")

    new = token_of(client, account.id)
    assert world.refusal(old) == "revoked"
    assert world.works(new)
    assert [generation for generation, _, _ in live(client, account.id)] == [2]


def test_deleting_a_token_in_grace_ends_that_one_alone(client: TrueFoundry, world: World):
    account = put(client)
    old = token_of(client, account.id)
    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=60)

    client.virtual_accounts.delete_jwt(account.id, account.jwt_id or "")

    assert world.refusal(old) == "revoked"
    assert [generation for generation, _, _ in live(client, account.id)] == [2]


def test_deleting_a_token_twice_changes_nothing(client: TrueFoundry):
    account = put(client)
    client.virtual_accounts.delete_jwt(account.id, account.jwt_id or "")
    before = live(client, account.id)

    client.virtual_accounts.delete_jwt(account.id, account.jwt_id or "")

    assert live(client, account.id) == before


@pytest.mark.parametrize("token_id", [NOWHERE, "no-uuid"])
def test_deleting_a_token_that_is_not_there_is_not_found(client: TrueFoundry, token_id: str):
    account = put(client)

    with pytest.raises(ApiError) as missing:
        client.virtual_accounts.delete_jwt(account.id, token_id)

    assert missing.value.status_code == 404


def test_deleting_a_token_of_another_account_is_not_found(client: TrueFoundry, world: World):
    account, other = put(client), put(client, "other")

    with pytest.raises(ApiError) as missing:
        client.virtual_accounts.delete_jwt(account.id, other.jwt_id or "")

    assert missing.value.status_code == 404
    assert world.works(token_of(client, other.id))


def test_a_deleted_accounts_tokens_end_with_the_answer(client: TrueFoundry, world: World):
    account = put(client)
    old = token_of(client, account.id)
    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=60)
    new = token_of(client, account.id)

    client.virtual_accounts.delete(account.id)

    assert (world.refusal(old), world.refusal(new)) == ("revoked", "revoked")


def test_an_account_with_an_identity_provider_mapping_has_no_token(client: TrueFoundry):
    mapping = [IdentityProviderMapping(identity_provider="github", value="repo:acme/shop")]
    made = client.virtual_accounts.create_or_update(
        manifest=VirtualAccountManifest(name="ci-bot", identity_provider_mapping=mapping)
    )

    with pytest.raises(ApiError) as unread:
        client.virtual_accounts.get_token(made.data.id, request_options=ONCE)
    with pytest.raises(ApiError) as unturned:
        client.virtual_accounts.regenerate_token(
            made.data.id, grace_period_in_minutes=0, request_options=ONCE
        )

    assert (made.token, made.data.jwts, made.data.jwt_id) == (None, [], None)
    assert made.data.manifest is not None
    assert made.data.manifest.identity_provider_mapping == mapping
    assert unread.value.status_code == unturned.value.status_code == 409
    assert unread.value.body["message"] == (
        "ci-bot has no token of its own: it calls with those of its identity provider, as its "
        "identity_provider_mapping says."
    )


class SyncingBell:
    """Sends at once what it is rung for, as a worker beside the server would."""

    def __init__(self, world: World) -> None:
        self._world = world

    def ring_lanes(self, lanes: Iterable[UUID], *, troubled: bool = False) -> None:
        for lane in lanes:
            draining.drain(self._world.runtime, lane)

    def ring_rotation(self) -> None: ...


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
    world.runtime.bell = SyncingBell(world)

    synced = sync(client, account.id, force=True)

    assert (synced.updated_at, synced.error) == ("2026-03-02T09:05:00Z", None)
    assert [mark.revision for _, mark in store.puts] == [1, 2]


def test_a_token_that_has_not_arrived_is_sent(client: TrueFoundry, world: World):
    account = put(client, secret_store_config=kept_in(world.file_store()))
    world.runtime.bell = SyncingBell(world)

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
    world.runtime.bell = SyncingBell(world)

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
