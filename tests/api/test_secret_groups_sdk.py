"""The built-in store's groups, by the public SDK."""

import asyncio

import httpx
import pytest
from sqlalchemy import select
from truefoundry_sdk import (
    AsyncTrueFoundry,
    Collaborator,
    NotFoundError,
    SecretGroupManifest,
    SecretInput,
    TrueFoundry,
    UnprocessableEntityError,
    UpdateSecretInput,
)
from truefoundry_sdk.core.api_error import ApiError

from core.actors import Actor
from models import AuditRow, Base, SecretVersion
from services.operation.bootstrap import ensure_tenant
from services.secrets.secret_groups import create_secret_group
from tests.api.calls import NOWHERE, ONCE, put, rows
from tests.api.secret_calls import STORE, Holders, create, keys, on
from tests.support.world import LIMITS, World

CANARY = "canary-value-9f2c"


def audited(world: World, action: str) -> list[AuditRow]:
    return world.rows(AuditRow, AuditRow.action == action)


def test_a_group_is_created_with_secrets_and_read_without_their_values(client: TrueFoundry):
    made = create(client, DB_PASSWORD=CANARY, **{"api.key-1": "x"})

    got = client.secret_groups.get(made.id).data

    assert (got.fqn, got.tenant_name, keys(got)) == (
        "acme:app",
        "acme",
        ["DB_PASSWORD", "api.key-1"],
    )
    assert got.associated_secrets[0].fqn == "acme:app:DB_PASSWORD"
    assert got.integration_id == made.integration_id
    assert got.manifest == {"type": "secret-group", "name": "app", "integration_fqn": STORE}
    assert CANARY not in made.json() + got.json()


def test_the_store_is_named_by_its_id_too(client: TrueFoundry):
    first = create(client, "first")

    again = client.secret_groups.create(
        name="second", integration_id=first.integration_id, secrets=[]
    )

    assert again.data.integration_id == first.integration_id


def test_a_changed_value_is_a_new_version_and_the_same_value_is_none(
    client: TrueFoundry, world: World
):
    group = create(client, a="1", b="2", c="3")
    before = rows(world)

    unchanged = [UpdateSecretInput(key="a", value="1"), UpdateSecretInput(key="b", value="2")]
    client.secret_groups.update(group.id, secrets=[*unchanged, UpdateSecretInput(key="c")])
    same = rows(world)
    after = client.secret_groups.update(
        group.id,
        secrets=[
            UpdateSecretInput(key="a", value="new"),
            UpdateSecretInput(key="b"),
            UpdateSecretInput(key="d", value="4"),
        ],
    ).data

    assert same == before
    assert keys(after) == ["a", "b", "d"]
    a = client.secrets.get(after.associated_secrets[0].id).data
    assert a.value == "new"
    assert [(it.version, it.value, it.fqn) for it in a.secret_versions] == [
        (2, "new", "acme:app:a:2"),
        (1, "1", "acme:app:a:1"),
    ]
    (filled,) = audited(world, "secret-group.filled")
    assert filled.detail == {"added": ["d"], "changed": ["a"], "removed": ["c"]}


def test_values_are_sealed_and_nowhere_in_the_clear(client: TrueFoundry, world: World):
    group = create(client, a=CANARY)
    client.secret_groups.update(group.id, secrets=[UpdateSecretInput(key="a", value=CANARY * 2)])
    client.secrets.get(group.associated_secrets[0].id)

    with world.runtime.database.reading() as session:
        stored = [
            repr(tuple(row))
            for table in Base.metadata.sorted_tables
            for row in session.execute(select(table))
        ]

    assert [row for row in stored if CANARY in row] == []
    assert len(world.rows(SecretVersion)) == 2


def test_a_manifest_creates_and_updates_by_name_and_changes_nothing_twice(
    client: TrueFoundry, world: World
):
    manifest = SecretGroupManifest(name="app", integration_fqn=STORE)
    made = client.secret_groups.create_or_update(manifest=manifest).data
    client.secret_groups.update(made.id, secrets=[UpdateSecretInput(key="a", value="1")])
    before = rows(world)

    again = client.secret_groups.create_or_update(manifest=manifest).data

    assert (again.id, keys(again), rows(world)) == (made.id, ["a"], before)


def test_a_dry_run_checks_and_leaves_nothing(client: TrueFoundry, world: World):
    before = rows(world)
    manifest = SecretGroupManifest(name="app", integration_fqn=STORE)

    said = client.secret_groups.create_or_update(manifest=manifest, dry_run=True).data

    assert said.fqn == "acme:app"
    assert rows(world) == before


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_collaborators_hold_their_roles_on_the_group_and_lose_them_with_the_manifest(
    client: TrueFoundry, holders: Holders
):
    group = create(client, a="1")
    secret_id = group.associated_secrets[0].id
    viewer = holders("viewer")
    member = holders("member")
    given = [
        Collaborator(subject="virtualaccount:viewer", role_id="secret-group-viewer"),
        Collaborator(subject="virtualaccount:member", role_id="secret-group-member"),
    ]
    manifest = SecretGroupManifest(name="app", integration_fqn=STORE, collaborators=given)

    client.secret_groups.create_or_update(manifest=manifest)

    assert [it.fqn for it in viewer.secret_groups.list()] == ["acme:app"]
    assert viewer.secrets.get(secret_id).data.value is None
    assert viewer.secrets.get(secret_id).data.name == "a"
    assert member.secrets.get(secret_id).data.value == "1"
    with pytest.raises(ApiError) as refused:
        member.secret_groups.update(group.id, secrets=[])
    assert refused.value.status_code == 403

    bare = SecretGroupManifest(name="app", integration_fqn=STORE)
    client.secret_groups.create_or_update(manifest=bare)
    assert list(viewer.secret_groups.list()) == []
    with pytest.raises(ApiError) as refused:
        member.secrets.get(secret_id)
    assert refused.value.status_code == 403


def test_nobody_gives_a_collaborator_more_than_they_hold(
    client: TrueFoundry, http: httpx.Client, holders: Holders
):
    create(client, "app")
    put(client, "friend")
    role = {
        "type": "role",
        "name": "group-editor",
        "display_name": "editor",
        "description": "edits",
        "resource_type": "secret-group",
        "permissions": ["secret-group:read", "secret-group:update"],
    }
    http.put("/api/svc/v1/roles", json={"manifest": role}).raise_for_status()
    editor = holders("editor", on("acme:app", "group-editor"))
    more = Collaborator(subject="virtualaccount:friend", role_id="secret-group-member")
    manifest = SecretGroupManifest(name="app", integration_fqn=STORE, collaborators=[more])

    with pytest.raises(ApiError) as refused:
        editor.secret_groups.create_or_update(manifest=manifest)

    assert refused.value.status_code == 403
    assert "secret-group-member" in refused.value.body.message


def test_who_has_no_role_sees_and_does_nothing(client: TrueFoundry, holders: Holders):
    group = create(client, a="1")
    nobody = holders("nobody")
    calls = [
        lambda: nobody.secret_groups.get(group.id),
        lambda: nobody.secret_groups.update(group.id, secrets=[]),
        lambda: nobody.secret_groups.delete(group.id),
        lambda: nobody.secrets.get(group.associated_secrets[0].id),
        lambda: nobody.secrets.delete(group.associated_secrets[0].id),
        lambda: nobody.secret_groups.create(name="own", integration_id=STORE, secrets=[]),
        lambda: nobody.secret_groups.create_or_update(
            manifest=SecretGroupManifest(name="own", integration_fqn=STORE)
        ),
    ]

    statuses = []
    for call in calls:
        with pytest.raises(ApiError) as refused:
            call()
        statuses.append(refused.value.status_code)

    assert statuses == [403] * len(calls)
    assert list(nobody.secret_groups.list()) == list(nobody.secrets.list(with_value=True)) == []


def test_another_tenants_group_is_not_found(client: TrueFoundry, world: World):
    other = ensure_tenant(
        world.runtime, "globex", limits=LIMITS, admin_email="admin@globex.example"
    )
    theirs = create_secret_group(
        world.runtime,
        Actor.operator(other, "tester"),
        "theirs",
        "globex:custom:built-in:secret-store:secrets",
        [{"key": "a", "value": "1"}],
    )
    group, secret = str(theirs.group.id), str(theirs.secrets[0].id)

    for call in (
        lambda: client.secret_groups.get(group),
        lambda: client.secret_groups.update(group, secrets=[]),
        lambda: client.secret_groups.delete(group),
        lambda: client.secrets.get(secret),
        lambda: client.secrets.delete(secret),
        lambda: list(client.secrets.list(secret_group_id=group)),
        lambda: client.secret_groups.get(NOWHERE),
    ):
        with pytest.raises(ApiError) as refused:
            call()
        assert refused.value.status_code == 404
    assert list(client.secret_groups.list()) == []
    assert list(client.secrets.list(secret_fqns=["globex:theirs:a"], with_value=True)) == []


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_lists_are_paged_and_searched_by_group_and_key(client: TrueFoundry):
    for number in range(5):
        create(client, f"group-{number}", **{f"KEY_{number}": "x"})

    paged = [it.fqn for it in client.secret_groups.list(limit=2)]
    by_name = [it.fqn for it in client.secret_groups.list(search="group-3")]
    by_key = [it.fqn for it in client.secret_groups.list(search="KEY_4")]
    by_fqn = [it.fqn for it in client.secret_groups.list(fqn="acme:group-1")]

    assert paged == [f"acme:group-{number}" for number in range(5)]
    assert (by_name, by_key, by_fqn) == (["acme:group-3"], ["acme:group-4"], ["acme:group-1"])
    assert list(client.secret_groups.list(search="%")) == []


@pytest.mark.parametrize(
    ("secrets", "field"),
    [
        ([{"key": "", "value": "x"}], "secrets.0.key"),
        ([{"key": "a b", "value": "x"}], "secrets.0.key"),
        ([{"key": "a/b", "value": "x"}], "secrets.0.key"),
        ([{"key": "k" * 129, "value": "x"}], "secrets.0.key"),
        ([{"key": "a", "value": CANARY * 8_000}], "secrets.0.value"),
        ([{"key": "a", "value": "x"}, {"key": "a", "value": CANARY}], "secrets.1.key"),
        ([{"key": "a"}], "secrets.0.value"),
    ],
)
def test_a_wrong_key_or_value_is_refused_without_being_quoted(
    http: httpx.Client, world: World, secrets: list[dict[str, str]], field: str
):
    before = rows(world)

    refused = http.post(
        "/api/svc/v1/secret-groups",
        json={"name": "app", "integrationId": STORE, "secrets": secrets},
    )

    assert refused.status_code == 422
    assert refused.json()["details"] == [{"field": field}]
    assert CANARY not in refused.text
    assert rows(world) == before


def test_external_stores_and_unknown_collaborators_are_refused(client: TrueFoundry):
    elsewhere = SecretGroupManifest(name="app", integration_fqn="acme:aws:prod:secret-store:main")
    unknown = SecretGroupManifest(
        name="app",
        integration_fqn=STORE,
        collaborators=[Collaborator(subject="user:who@example.com", role_id="secret-group-admin")],
    )

    for manifest, field in ((elsewhere, "integration_fqn"), (unknown, "collaborators.0.subject")):
        with pytest.raises(UnprocessableEntityError) as refused:
            client.secret_groups.create_or_update(manifest=manifest)
        assert refused.value.body.message.startswith(f"{field}: ")
    with pytest.raises(UnprocessableEntityError):
        client.secret_groups.create(name="app", integration_id=NOWHERE, secrets=[])


def test_a_name_is_taken_once_and_free_after_deletion(client: TrueFoundry, world: World):
    group = create(client, a="1")
    with pytest.raises(ApiError) as refused:
        client.secret_groups.create(
            name="app", integration_id=STORE, secrets=[], request_options=ONCE
        )
    assert refused.value.status_code == 409

    client.secret_groups.delete(group.id)

    with pytest.raises(NotFoundError):
        client.secret_groups.get(group.id)
    assert world.rows(SecretVersion) == []
    (deleted,) = audited(world, "secret-group.deleted")
    assert deleted.detail["keys"] == ["a"]
    assert keys(create(client)) == []


def test_grants_end_with_the_group(client: TrueFoundry, holders: Holders):
    group = create(client, a="1")
    member = holders("member", on("acme:app", "secret-group-member"))
    assert [it.fqn for it in member.secret_groups.list()] == ["acme:app"]

    client.secret_groups.delete(group.id)
    create(client, a="2")

    assert list(member.secret_groups.list()) == []


def test_nobody_configures_the_built_in_store(client: TrueFoundry):
    store = {"type": "integration/secret-store/custom/secret-groups", "name": "secrets"}
    for name in ("built-in", "mine"):
        manifest = {
            "type": "provider-account/custom",
            "name": name,
            "integrations": [store | {"tenant": NOWHERE}],
        }
        with pytest.raises(ApiError) as refused:
            client.apply(manifest=manifest)
        assert refused.value.status_code == 422


def test_the_same_by_the_asynchronous_client(server: str, admin_token: str):
    async def flow() -> list[object]:
        async with httpx.AsyncClient() as connections:
            client = AsyncTrueFoundry(
                base_url=server, api_key=admin_token, httpx_client=connections
            )
            made = await client.secret_groups.create(
                name="app", integration_id=STORE, secrets=[SecretInput(key="a", value="1")]
            )
            await client.secret_groups.update(
                made.data.id, secrets=[UpdateSecretInput(key="a", value="2")]
            )
            secret = made.data.associated_secrets[0].id
            got = await client.secrets.get(secret)
            listed = [it.fqn async for it in await client.secret_groups.list()]
            values = [it.value async for it in await client.secrets.list(with_value=True)]
            count = await client.secrets.delete(secret)
            await client.secret_groups.delete(made.data.id)
            return [got.data.value, listed, values, count]

    assert asyncio.run(flow()) == ["2", ["acme:app"], ["2"], 1]
