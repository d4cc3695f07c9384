"""Virtual accounts as the public SDK creates, changes and reads them."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from truefoundry_sdk import (
    AsyncTrueFoundry,
    AutoRotate,
    NotFoundError,
    TeamManifest,
    TrueFoundry,
    UnprocessableEntityError,
    VirtualAccountManifest,
)

from tests.api.calls import READER, kept_in, put, rows
from tests.support.world import HOURLY, World, stored

ADMIN_EMAIL = "admin@example.com"


def test_a_new_account_is_answered_with_its_token(client: TrueFoundry):
    created = client.virtual_accounts.create_or_update(
        manifest=VirtualAccountManifest(name="ci-bot")
    )

    assert created.token is not None
    assert client.virtual_accounts.get_token(created.data.id).token == created.token


def test_a_new_account_has_all_that_the_sdk_reads(client: TrueFoundry):
    account = put(client, permissions=[READER], tags={"team": "platform"})

    assert account.type == "serviceaccount"
    assert account.tenant_name == "acme"
    assert account.created_by_subject.subject_slug == "keyturn-admin"
    assert account.created_at == account.updated_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert account.is_expired is False
    assert account.next_scheduled_rotation is None
    assert [jwt.id for jwt in account.jwts or []] == [account.jwt_id]


def test_a_token_without_an_end_expires_in_the_farthest_future(client: TrueFoundry):
    (token,) = put(client).jwts or []

    assert token.expiry == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert token.token_type == "opaque"


def test_a_token_of_an_account_with_an_end_expires_when_its_last_day_is_over(client: TrueFoundry):
    (token,) = put(client, expiration_date="2026-12-31").jwts or []

    assert token.expiry == datetime(2027, 1, 1, tzinfo=UTC)


def test_an_update_is_answered_without_a_token(client: TrueFoundry):
    put(client)

    updated = client.virtual_accounts.create_or_update(
        manifest=VirtualAccountManifest(name="ci-bot", tags={"team": "platform"})
    )

    assert updated.token is None
    assert updated.data.manifest is not None
    assert updated.data.manifest.tags == {"team": "platform"}


def test_an_update_keeps_the_account_and_its_token(client: TrueFoundry):
    before = put(client)

    after = put(client, tags={"team": "platform"})

    assert (after.id, after.jwt_id) == (before.id, before.jwt_id)


def test_the_same_manifest_again_changes_nothing(client: TrueFoundry, world: World):
    put(client, permissions=[READER], auto_rotate=AutoRotate(interval="1h", grace="10m"))
    before = rows(world)
    world.clock.pass_(minutes=5)

    again = put(client, permissions=[READER], auto_rotate=AutoRotate(interval="1h", grace="10m"))

    assert rows(world) == before
    assert again.updated_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_dry_run_of_a_creation_answers_what_would_be_and_writes_nothing(
    client: TrueFoundry, world: World
):
    fqn = world.file_store()
    before = rows(world)

    rehearsed = client.virtual_accounts.create_or_update(
        manifest=VirtualAccountManifest(
            name="ci-bot",
            auto_rotate=AutoRotate(**HOURLY),
            secret_store_config=kept_in(fqn),
        ),
        dry_run=True,
    )

    assert rehearsed.data.manifest is not None
    assert rehearsed.data.manifest.name == "ci-bot"
    assert rehearsed.token is None
    assert rows(world) == before
    assert not client.virtual_accounts.exists(name="ci-bot").exists


def test_a_dry_run_of_an_update_writes_nothing(client: TrueFoundry, world: World):
    put(client)
    before = rows(world)

    client.virtual_accounts.create_or_update(
        manifest=VirtualAccountManifest(name="ci-bot", auto_rotate=AutoRotate(**HOURLY)),
        dry_run=True,
    )

    assert rows(world) == before
    assert put(client).next_scheduled_rotation is None


def test_a_dry_run_finds_what_is_wrong(client: TrueFoundry):
    manifest = VirtualAccountManifest(name="ci-bot", secret_store_config=kept_in("nowhere"))

    with pytest.raises(UnprocessableEntityError):
        client.virtual_accounts.create_or_update(manifest=manifest, dry_run=True)


def test_a_manifest_is_answered_as_it_was_given(client: TrueFoundry, world: World):
    given = {
        "name": "ci-bot",
        "type": "virtual-account",
        "permissions": [READER.model_dump()],
        "expiration_date": "2026-12-31",
        "auto_rotate": {"auto_rotate_interval": 90, "grace_period": 7, "schedule": "0 3 * * MON"},
        "secret_store_config": stored(world.file_store()),
        "tags": {"costCenter": "A-17"},
    }

    account = put(client, **given)

    assert account.manifest is not None
    assert account.manifest.model_dump(by_alias=True, exclude_unset=True) == given


def test_rotation_by_duration_is_answered_with_the_day_fields_that_the_sdk_needs(
    client: TrueFoundry,
):
    account = put(client, auto_rotate={"interval": "12h", "grace": "30m"})

    assert account.manifest is not None
    assert account.manifest.auto_rotate is not None
    assert account.manifest.auto_rotate.model_dump() == {
        "auto_rotate_interval": 360,
        "grace_period": 30,
        "interval": "12h",
        "grace": "30m",
    }
    assert account.next_scheduled_rotation == "2026-03-02T21:00:00Z"


def test_a_target_that_the_sdk_does_not_know_is_answered_where_it_reads_it(
    client: TrueFoundry, world: World
):
    fqn, _ = world.channel()
    target = {"type": "scripted", "notification_channel": fqn}

    account = client.virtual_accounts.create_or_update(
        manifest={"name": "ci-bot", "notification_target": target}
    ).data

    assert account.manifest is not None
    assert account.manifest.notification_target is None
    assert account.manifest.notification_targets == [target]
    assert account in list(client.virtual_accounts.list())


def test_an_account_is_found_by_its_id(client: TrueFoundry):
    created = put(client)

    assert client.virtual_accounts.get(created.id).data == created


def test_an_account_exists_by_its_name(client: TrueFoundry):
    put(client)

    assert client.virtual_accounts.exists(name="ci-bot").exists
    assert not client.virtual_accounts.exists(name="ci").exists


def test_a_list_is_read_page_by_page_by_name(client: TrueFoundry):
    for name in ("bot-c", "bot-a", "bot-b"):
        put(client, name)

    first = client.virtual_accounts.list(limit=2)

    pages = [[item.manifest.name for item in page.items or []] for page in first.iter_pages()]
    assert pages == [["bot-a", "bot-b"], ["bot-c", "keyturn-admin"]]


def test_the_page_after_the_last_is_empty(client: TrueFoundry):
    last = client.virtual_accounts.list(limit=2)

    after = last.next_page()

    assert after is not None
    assert after.items == []
    assert after.response.pagination.total == 1


def test_a_list_says_how_many_there_are(client: TrueFoundry):
    put(client)

    page = client.virtual_accounts.list(limit=1, offset=1).response.pagination

    assert (page.total, page.offset, page.limit) == (2, 1, 1)


def test_a_list_is_searched_by_a_part_of_the_name(client: TrueFoundry):
    for name in ("ci-bot", "ci-runner", "deploy"):
        put(client, name)

    found = client.virtual_accounts.list(name_search_query="ci-")

    assert [account.manifest.name for account in found] == ["ci-bot", "ci-runner"]


@pytest.mark.parametrize("search", ["%", "_", "\\", "ci%bot"])
def test_what_is_searched_for_is_taken_literally(client: TrueFoundry, search: str):
    put(client)

    assert list(client.virtual_accounts.list(name_search_query=search)) == []


def test_a_changed_policy_reschedules(client: TrueFoundry, world: World):
    put(client, auto_rotate=AutoRotate(interval="4h", grace="10m"))
    world.clock.pass_(hours=1)

    changed = put(client, auto_rotate=AutoRotate(interval="2h", grace="10m"))

    assert changed.next_scheduled_rotation == "2026-03-02T11:00:00Z"


def test_a_change_of_something_else_reschedules_nothing(client: TrueFoundry, world: World):
    rotating = AutoRotate(interval="4h", grace="10m")
    put(client, auto_rotate=rotating)
    world.clock.pass_(hours=1)

    changed = put(client, auto_rotate=rotating, tags={"team": "platform"})

    assert changed.next_scheduled_rotation == "2026-03-02T13:00:00Z"


def test_a_policy_that_is_taken_away_schedules_nothing(client: TrueFoundry):
    put(client, auto_rotate=AutoRotate(interval="4h", grace="10m"))

    assert put(client).next_scheduled_rotation is None


def test_the_async_client_does_the_same(server: str, admin_token: str):
    async def walk() -> list[object]:
        async with httpx.AsyncClient() as connections:
            client = AsyncTrueFoundry(
                base_url=server, api_key=admin_token, httpx_client=connections
            )
            manifest = VirtualAccountManifest(name="ci-bot", permissions=[READER])
            made = await client.virtual_accounts.create_or_update(manifest=manifest)
            account_id = made.data.id
            read = await client.virtual_accounts.get_token(account_id)
            found = await client.virtual_accounts.get(account_id)
            turned = await client.virtual_accounts.regenerate_token(
                account_id, grace_period_in_minutes=0
            )
            await client.virtual_accounts.delete_jwt(account_id, found.data.jwt_id or "")
            await client.virtual_accounts.delete(account_id)
            gone = await client.virtual_accounts.exists(name="ci-bot")
            return [made.token == read.token, turned.token != read.token, gone.exists]

    assert asyncio.run(walk()) == [True, True, False]


def test_other_fields_that_are_omitted_return_to_their_default(client: TrueFoundry):
    put(client, tags={"team": "platform"}, auto_rotate=AutoRotate(**HOURLY))

    reset = put(client)

    assert reset.manifest is not None
    assert (reset.manifest.tags, reset.manifest.auto_rotate) == (None, None)
    assert reset.next_scheduled_rotation is None


def test_a_manifest_in_camel_case_is_the_same_manifest(client: TrueFoundry):
    client.teams.create_or_update(manifest=TeamManifest(name="platform", members=[ADMIN_EMAIL]))
    account = client.virtual_accounts.create_or_update(
        manifest={
            "name": "ci-bot",
            "type": "virtual-account",
            "permissions": [
                {"resourceFqn": "acme", "resourceType": "account", "roleId": "account-viewer"}
            ],
            "autoRotate": {"autoRotateInterval": 90, "gracePeriod": 7},
            "expirationDate": "2026-12-31",
            "ownedBy": {"team": "platform"},
        }
    ).data

    assert account.manifest is not None
    assert account.manifest.permissions == [READER]
    assert account.manifest.auto_rotate == AutoRotate(auto_rotate_interval=90, grace_period=7)
    assert account.manifest.expiration_date == "2026-12-31"
    assert account.manifest.owned_by is not None
    assert account.manifest.owned_by.team == "platform"


def test_a_deleted_account_is_gone(client: TrueFoundry):
    account = put(client)

    client.virtual_accounts.delete(account.id)

    with pytest.raises(NotFoundError):
        client.virtual_accounts.get(account.id)
    assert not client.virtual_accounts.exists(name="ci-bot").exists


def test_a_deleted_accounts_name_is_free_at_once(client: TrueFoundry):
    deleted = put(client)
    client.virtual_accounts.delete(deleted.id)

    again = put(client)

    assert again.id != deleted.id


def test_deleting_twice_is_not_found(client: TrueFoundry):
    account = put(client)
    client.virtual_accounts.delete(account.id)

    with pytest.raises(NotFoundError):
        client.virtual_accounts.delete(account.id)
