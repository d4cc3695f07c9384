"""Secrets, and virtual accounts' tokens in secret groups, by the public SDK."""

import httpx
import pytest
from truefoundry_sdk import (
    Permissions,
    TfySecretsConfig,
    TrueFoundry,
    UpdateSecretInput,
)
from truefoundry_sdk.core.api_error import ApiError

from models import AuditRow, Delivery, Integration
from tests.api.calls import ONCE, put
from tests.api.secret_calls import STORE, Holders, create, keys, on
from tests.support.world import World

HOURLY = {"interval": "1h", "grace": "10m"}


def kept_in(group: str = "app", key: str = "CI_TOKEN", **more: object) -> TfySecretsConfig:
    return TfySecretsConfig(secret_group=group, key=key, **more)


def value(client: TrueFoundry, fqn: str = "acme:app:CI_TOKEN") -> str | None:
    (secret,) = client.secrets.list(secret_fqns=[fqn], with_value=True)
    return secret.value


def versions(client: TrueFoundry, fqn: str = "acme:app:CI_TOKEN") -> list[str | None]:
    (secret,) = client.secrets.list(secret_fqns=[fqn])
    return [it.value for it in client.secrets.get(secret.id).data.secret_versions or []]


def test_values_come_back_only_when_asked_for_and_their_reading_is_recorded(
    client: TrueFoundry, world: World
):
    create(client, "one", a="1", b="2")
    create(client, "two", c="3")

    plain = list(client.secrets.list())
    before = world.rows(AuditRow, AuditRow.action == "secret.read")
    told = list(client.secrets.list(with_value=True, limit=2))

    assert [it.fqn for it in plain] == ["acme:one:a", "acme:one:b", "acme:two:c"]
    assert [it.value for it in plain] == [None, None, None]
    assert [it.value for it in told] == ["1", "2", "3"]
    after = world.rows(AuditRow, AuditRow.action == "secret.read")
    assert before == []
    assert [(it.subject_name, it.detail) for it in after] == [
        ("one", {"keys": ["a", "b"]}),
        ("two", {"keys": ["c"]}),
    ]


def test_secrets_are_found_by_group_and_by_name(client: TrueFoundry):
    one = create(client, "one", a="1", b="2")
    create(client, "two", c="3")

    of_group = [it.fqn for it in client.secrets.list(secret_group_id=one.id)]
    named = [it.fqn for it in client.secrets.list(secret_fqns=["acme:two:c", "acme:one:b", "x"])]

    assert of_group == ["acme:one:a", "acme:one:b"]
    assert named == ["acme:one:b", "acme:two:c"]
    assert list(client.secrets.list(secret_fqns=[])) == []


def test_deleting_a_secret_answers_how_many_went(client: TrueFoundry):
    group = create(client, a="1", b="2")

    assert client.secrets.delete(group.associated_secrets[0].id) == 1

    assert keys(client.secret_groups.get(group.id).data) == ["b"]


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_a_role_on_one_secret_shows_that_one_alone(client: TrueFoundry, holders: Holders):
    create(client, a="1", b="2")
    only = Permissions(resource_fqn="acme:app:a", resource_type="secret", role_id="secret-member")

    holder = holders("holder", only)

    assert [(it.name, it.value) for it in holder.secrets.list(with_value=True)] == [("a", "1")]


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_an_account_s_token_is_kept_in_a_group_and_each_rotation_is_a_version(
    client: TrueFoundry, world: World
):
    create(client)
    account = put(client, secret_store_config=kept_in(), auto_rotate=HOURLY)
    world.drain()
    first = client.virtual_accounts.get_token(account.id).token
    assert value(client) == first

    world.clock.pass_(hours=1, minutes=1)
    world.rotate()
    world.drain()

    second = client.virtual_accounts.get_token(account.id).token
    assert second != first
    assert versions(client) == [second, first]
    (secret,) = client.secrets.list()
    newest = client.secrets.get(secret.id).data.secret_versions[0]
    assert (newest.metadata["account"], newest.metadata["generation"]) == ("ci-bot", "2")


def test_the_same_token_again_is_no_new_version(client: TrueFoundry, world: World):
    create(client)
    account = put(client, secret_store_config=kept_in())
    world.drain()

    client.virtual_accounts.sync_to_secret_store(account.id, force=True)
    world.drain()

    assert len(versions(client)) == 1
    (place,) = world.places()
    assert place.confirmed_revision == place.revision == 2


def test_a_deleted_account_takes_its_copy_with_it(client: TrueFoundry, world: World):
    group = create(client, other="x")
    account = put(client, secret_store_config=kept_in())
    world.drain()
    assert keys(client.secret_groups.get(group.id).data) == ["CI_TOKEN", "other"]

    client.virtual_accounts.delete(account.id)
    world.drain()

    assert keys(client.secret_groups.get(group.id).data) == ["other"]


def test_a_key_that_people_wrote_is_refused_unless_it_may_be_adopted(
    client: TrueFoundry, world: World
):
    create(client, CI_TOKEN="theirs")
    put(client, secret_store_config=kept_in())
    world.drain()
    (failed,) = world.rows(Delivery, Delivery.error.is_not(None))
    assert "adopt: true" in failed.error
    assert value(client) == "theirs"

    account = put(client, secret_store_config=kept_in(adopt=True))
    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=0)
    world.drain()

    assert versions(client) == [client.virtual_accounts.get_token(account.id).token, "theirs"]


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_what_an_account_keeps_is_not_changed_or_deleted_by_hand(client: TrueFoundry, world: World):
    group = create(client)
    account = put(client, secret_store_config=kept_in())
    world.drain()
    (secret,) = client.secrets.list()
    token = value(client)

    for call in (
        lambda: client.secret_groups.update(
            group.id,
            secrets=[UpdateSecretInput(key="CI_TOKEN", value="mine")],
            request_options=ONCE,
        ),
        lambda: client.secret_groups.update(group.id, secrets=[], request_options=ONCE),
        lambda: client.secrets.delete(secret.id, request_options=ONCE),
        lambda: client.secret_groups.delete(group.id, request_options=ONCE),
    ):
        with pytest.raises(ApiError) as refused:
            call()
        assert refused.value.status_code == 409
        assert "ci-bot" in refused.value.body["message"]
    beside = [UpdateSecretInput(key="CI_TOKEN"), UpdateSecretInput(key="b", value="1")]
    client.secret_groups.update(group.id, secrets=beside)
    assert value(client) == token

    client.secrets.delete(secret.id, force_delete=True)
    client.virtual_accounts.regenerate_token(account.id, grace_period_in_minutes=0)
    world.drain()
    assert value(client) == client.virtual_accounts.get_token(account.id).token


def test_a_group_that_is_gone_refuses_the_next_send_and_others_go_on(
    client: TrueFoundry, world: World
):
    group = create(client)
    create(client, "other")
    account = put(client, secret_store_config=kept_in())
    beside = put(client, "beside", secret_store_config=kept_in("other"))
    world.drain()

    client.secret_groups.delete(group.id, force_delete=True)
    for one in (account, beside):
        client.virtual_accounts.regenerate_token(one.id, grace_period_in_minutes=0)
    world.drain()

    (failed,) = world.rows(Delivery, Delivery.error.is_not(None))
    assert "no secret group app" in failed.error
    token = client.virtual_accounts.get_token(beside.id).token
    assert value(client, "acme:other:CI_TOKEN") == token


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (kept_in("nowhere"), "secret_store_config"),
        (kept_in(key="a b"), "secret_store_config"),
        ({"type": "tfy", "secret_group": "app", "key": "a"}, "secret_store_config"),
        ({"type": "tfy-secrets", "secret_group": "app"}, "secret_store_config.key"),
        (
            {"type": "secret-store", "integration_fqn": STORE, "secret_path": "nowhere/a"},
            "secret_store_config.secret_path",
        ),
    ],
)
def test_a_place_that_cannot_be_is_refused_at_once(
    client: TrueFoundry, http: httpx.Client, config: object, field: str
):
    create(client)
    given = config if isinstance(config, dict) else config.dict()
    manifest = {"type": "virtual-account", "name": "ci-bot", "secret_store_config": given}

    refused = http.put("/api/svc/v1/virtual-accounts", json={"manifest": manifest})

    assert refused.status_code == 422
    assert refused.json()["details"] == [{"field": field}]


def test_one_key_belongs_to_one_account(client: TrueFoundry):
    create(client)
    put(client, "first", secret_store_config=kept_in())

    with pytest.raises(ApiError) as refused:
        client.virtual_accounts.create_or_update(
            manifest={
                "type": "virtual-account",
                "name": "second",
                "secret_store_config": {
                    "type": "tfy-secrets",
                    "secret_group": "acme:app",
                    "key": "CI_TOKEN",
                },
            },
            request_options=ONCE,
        )

    assert refused.value.status_code == 409


def test_who_may_not_use_the_group_keeps_no_token_there(
    client: TrueFoundry, http: httpx.Client, holders: Holders
):
    create(client)
    role = {
        "type": "role",
        "name": "account-maker",
        "display_name": "maker",
        "description": "makes accounts",
        "resource_type": "account",
        "permissions": ["virtual-account:create", "virtual-account:read", "virtual-account:update"],
    }
    http.put("/api/svc/v1/roles", json={"manifest": role}).raise_for_status()
    makes = Permissions(resource_fqn="acme", resource_type="account", role_id="account-maker")
    outsider = holders("outsider", makes)
    member = holders("member", makes, on("acme:app", "secret-group-member"))
    by_path = {"type": "secret-store", "integration_fqn": STORE, "secret_path": "app/key"}

    for maker, config in (
        (outsider, kept_in()),
        (outsider, by_path),
        (member, kept_in(adopt=True)),
    ):
        with pytest.raises(ApiError) as refused:
            put(maker, secret_store_config=config)
        assert refused.value.status_code == 403
    put(member, secret_store_config=kept_in())


def test_one_integration_is_behind_all_groups(client: TrueFoundry, world: World):
    for name in ("one", "two"):
        create(client, name, a="1")
    put(client, secret_store_config=kept_in("one"))

    (row,) = world.rows(Integration)

    assert (row.fqn, row.kind) == (STORE, "custom/secret-groups")


def test_without_use_a_secret_is_seen_but_not_its_value(client: TrueFoundry, holders: Holders):
    create(client, a="1")
    viewer = holders("viewer", on("acme:app", "secret-group-viewer"))

    assert [(it.name, it.value) for it in viewer.secrets.list(with_value=True)] == [("a", None)]
