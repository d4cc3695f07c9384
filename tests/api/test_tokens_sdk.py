"""Tokens of virtual accounts as the public SDK reads, regenerates and deletes them."""

from datetime import UTC, datetime, timedelta

import pytest
from truefoundry_sdk import (
    AutoRotate,
    IdentityProviderMapping,
    TrueFoundry,
    UnprocessableEntityError,
    VirtualAccountManifest,
)
from truefoundry_sdk.core.api_error import ApiError

from core.tokens import Token
from models import AuditRow
from services.engine import tokens
from tests.api.calls import NOWHERE, ONCE, kept_in, put
from tests.support.identity import trust_unseen
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


def test_an_account_with_an_identity_provider_mapping_has_no_token(
    client: TrueFoundry, world: World
):
    trust_unseen(world)
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
