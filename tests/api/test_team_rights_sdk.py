"""Who may do what to teams, and what being in one gives."""

import asyncio

import httpx
import pytest
from truefoundry_sdk import (
    AsyncTrueFoundry,
    NotFoundError,
    TeamManifest,
    TrueFoundry,
    UnprocessableEntityError,
)

from services.access import bindings, roles
from services.operation.bootstrap import ensure_tenant
from services.people import teams
from tests.api.teams import Login, names, put, refused
from tests.support.persons import Person, person
from tests.support.world import LIMITS, World


def test_only_who_may_create_teams_does(login: Login, ann: Person):
    refused(403, lambda: put(login(ann), members=[ann.email]))


def test_a_manager_decides_who_is_in_the_team(
    client: TrueFoundry, login: Login, ann: Person, bob: Person
):
    put(client, managers=[ann.email], members=[])

    changed = put(login(ann), managers=[ann.email, bob.email], members=[])
    left = put(login(bob), managers=[bob.email], members=[], description="Mine")

    assert changed.top_managers == [ann.email, bob.email]
    assert (left.members, left.description) == ([bob.email], "Mine")
    refused(403, lambda: put(login(ann), managers=[ann.email], members=[]))


def test_a_manager_neither_renames_nor_deletes_the_team(
    client: TrueFoundry, login: Login, ann: Person
):
    team = put(client, managers=[ann.email], members=[])

    refused(403, lambda: put(login(ann), "payments-two", managers=[ann.email]))
    refused(403, lambda: login(ann).teams.delete(team.id))


def test_a_member_reads_the_team_and_changes_nothing(
    client: TrueFoundry, login: Login, ann: Person, bob: Person
):
    team = put(client, managers=[bob.email], members=[ann.email])

    assert login(ann).teams.get(team.id).data.members == [ann.email, bob.email]
    refused(403, lambda: put(login(ann), managers=[ann.email, bob.email]))
    refused(403, lambda: put(login(ann), managers=[bob.email], members=[ann.email], tags={"a": 1}))


def test_what_a_team_holds_its_members_hold_until_they_leave(
    client: TrueFoundry, world: World, login: Login, ann: Person
):
    put(client, members=[ann.email])
    roles.put_role(
        world.runtime,
        world.admin,
        {
            "name": "reader",
            "display_name": "Reader",
            "description": "",
            "resource_type": "account",
            "permissions": ["virtual-account:read"],
        },
    )
    bindings.put_binding(
        world.runtime,
        world.admin,
        {
            "name": "payments-read",
            "subjects": [{"type": "team", "name": "payments"}],
            "permissions": [{"resource_type": "account", "resource_fqn": "acme", "role": "reader"}],
        },
    )
    account, _ = world.create()

    assert login(ann).virtual_accounts.get(str(account.id)).data.manifest.name == "ci-bot"
    put(client, members=[])
    refused(403, lambda: login(ann).virtual_accounts.get(str(account.id)))


def test_what_is_granted_to_a_team_is_shown(client: TrueFoundry, world: World, ann: Person):
    team = put(client, members=[ann.email])
    bindings.put_binding(
        world.runtime,
        world.admin,
        {
            "name": "payments-view",
            "subjects": [{"type": "team", "name": "payments"}],
            "permissions": [
                {"resource_type": "account", "resource_fqn": "acme", "role": "account-viewer"}
            ],
        },
    )

    (held,) = client.teams.get_permissions(team.id).data

    assert (held.resource_type, held.resource_fqn) == ("account", "acme")
    assert (held.role_id, held.role_name) == ("account-viewer", "account-viewer")
    assert (held.subject_type, held.subject_id) == ("team", team.id)


def test_a_person_sees_their_own_teams_resources_and_permissions(
    client: TrueFoundry, login: Login, ann: Person, bob: Person
):
    put(client, "aaa", managers=[ann.email])
    put(client, "bbb", members=[ann.email, bob.email])
    me = login(ann).users

    assert [(t.team_name, t.roles) for t in me.get_teams(str(ann.id)).data] == [
        ("aaa", ["team-manager"]),
        ("bbb", ["team-member"]),
    ]
    held = me.get_permissions(str(ann.id)).data
    assert [(h.resource_fqn, h.role_name, h.subject_type) for h in held] == [
        ("acme", "tenant-member", "user"),
        ("team:aaa", "team-manager", "user"),
        ("team:bbb", "team-member", "user"),
    ]
    assert [(r.resource_type, r.role_id) for r in me.get_resources(str(ann.id)).data] == [
        ("tenant", "tenant-member"),
        ("team", "team-manager"),
        ("team", "team-member"),
    ]
    assert [t.team_name for t in login(bob).users.get_teams(str(ann.id)).data] == ["aaa", "bbb"]


def test_a_machine_without_a_role_sees_nobodys_teams(server: str, world: World, ann: Person):
    _, token = world.create()
    bearer = {"Authorization": f"Bearer {token.reveal()}"}

    for part in ("teams", "resources", "permissions"):
        answer = httpx.get(f"{server}/api/svc/v1/x/users/{ann.id}/{part}", headers=bearer)
        assert answer.status_code == 403
    listed = httpx.get(f"{server}/api/svc/v1/teams/user", headers=bearer).json()
    assert listed["data"] == []


@pytest.mark.law(12)
def test_another_tenants_team_is_not_found_and_its_people_are_nobody(
    client: TrueFoundry, world: World
):
    there = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@umbrella.io")
    stranger = person(world, "eve@umbrella.io", tenant_id=there)
    actor = world.admin.__class__.operator(there, "neighbour")
    theirs = teams.put_team(world.runtime, actor, {"name": "payments", "members": [stranger.email]})

    refused(404, lambda: client.teams.get(str(theirs.row.id)))
    refused(404, lambda: client.teams.delete(str(theirs.row.id)))
    with pytest.raises(UnprocessableEntityError) as unknown:
        put(client, members=[stranger.email])
    assert unknown.value.body.details == [{"field": "members.0"}]
    assert put(client).id != str(theirs.row.id)
    assert names(client.teams.list()) == ["payments"]


def test_the_last_admins_way_in_is_not_taken_away_by_emptying_a_team(
    client: TrueFoundry, world: World, ann: Person
):
    put(client, "admins", members=[ann.email])
    bindings.put_binding(
        world.runtime,
        world.admin,
        {
            "name": "admins-admin",
            "subjects": [{"type": "team", "name": "admins"}],
            "permissions": [
                {"resource_type": "account", "resource_fqn": "acme", "role": "tenant-admin"}
            ],
        },
    )
    (first,) = [user for user in client.users.list() if user.email == "admin@example.com"]
    client.users.delete(first.id)

    error = refused(409, lambda: put(client, "admins"))

    assert "last active tenant-admin" in error.body.message


def test_the_asynchronous_client_does_the_same(server: str, admin_token: str, ann: Person):
    async def live() -> None:
        async with httpx.AsyncClient() as connections:
            client = AsyncTrueFoundry(
                base_url=server, api_key=admin_token, httpx_client=connections
            )
            manifest = TeamManifest(name="payments", members=[], managers=[ann.email])
            team = (await client.teams.create_or_update(manifest=manifest)).data

            assert (await client.teams.get(team.id)).data == team
            assert [one.id async for one in await client.teams.list()] == [team.id]
            members = await client.teams.list_members(team.id)
            assert [one.subject_slug async for one in members] == [ann.email]
            managers = await client.teams.list_managers(team.id)
            assert [one.subject_slug async for one in managers] == [ann.email]
            assert (await client.teams.get_permissions(team.id)).data == []
            assert (await client.users.get_teams(str(ann.id))).data[0].team_name == "payments"
            await client.teams.delete(team.id)
            with pytest.raises(NotFoundError):
                await client.teams.get(team.id)

    asyncio.run(live())
