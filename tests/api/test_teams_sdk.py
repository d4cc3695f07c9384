"""Teams as the public SDK makes, reads and ends them."""

import httpx
import pytest
from sqlalchemy import event
from truefoundry_sdk import (
    ConflictError,
    NotFoundError,
    Team,
    TeamManifest,
    TrueFoundry,
)

from models import AuditRow, GrantRow, TeamMember, VirtualAccount
from services.access import bindings
from services.accounts import account_life
from tests.api.calls import NOWHERE, ONCE, rows
from tests.api.teams import Login, names, put, refused, slugs
from tests.support.persons import Person
from tests.support.world import World


def test_a_team_is_created_and_read_with_all_that_the_sdk_knows(
    client: TrueFoundry, world: World, ann: Person, bob: Person
):
    manifest = TeamManifest(
        name="payments",
        display_name="Payments",
        description="They take money",
        managers=[ann.email],
        members=[bob.email],
        tags={"costCenter": "42"},
        identity_provider_mapping=[{"identity_provider": "okta", "value": "payments"}],
    )

    made = client.teams.create_or_update(manifest=manifest).data
    read = client.teams.get(made.id).data

    assert isinstance(made, Team)
    assert made == read
    assert made.manifest == manifest
    assert made.description == "They take money"
    assert made.members == [ann.email, bob.email]
    assert (made.top_managers, made.total_member_count, made.total_manager_count) == (
        [ann.email],
        2,
        1,
    )
    assert (made.tenant_name, made.account_id) == ("acme", str(world.tenant_id))
    assert made.created_by_subject.subject_slug == "keyturn-admin"
    assert made.is_editable


def test_a_manager_is_a_member_whether_listed_or_not(client: TrueFoundry, ann: Person, bob: Person):
    team = put(client, managers=[ann.email], members=[bob.email, ann.email, bob.email])

    assert slugs(client.teams.list_members(team.id)) == [ann.email, bob.email]
    assert slugs(client.teams.list_managers(team.id)) == [ann.email]
    row = next(iter(client.teams.list_managers(team.id)))
    assert (row.subject_id, row.subject_type) == (str(ann.id), "user")


def test_members_are_listed_page_by_page(client: TrueFoundry, ann: Person, bob: Person):
    team = put(client, members=[bob.email, ann.email])

    pages = client.teams.list_members(team.id, limit=1)

    assert [slugs(page.items or []) for page in pages.iter_pages()] == [[ann.email], [bob.email]]


def test_members_are_not_filtered_without_saying_so(client: TrueFoundry, ann: Person):
    team = put(client, members=[ann.email])
    only_bob = '{"column": "email", "op": "EQUAL", "value": "bob@example.com"}'

    for listed in (client.teams.list_members, client.teams.list_managers):
        error = refused(422, lambda listed=listed: listed(team.id, filter=only_bob))
        assert error.body["details"] == [{"field": "filter"}]


def test_addresses_are_the_same_however_they_are_capitalised(client: TrueFoundry, ann: Person):
    team = put(client, members=["Ann@Example.com"])

    assert slugs(client.teams.list_members(team.id)) == [ann.email]
    assert team.manifest.members == ["Ann@Example.com"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"members": ["ann@example.com", "nobody@example.com"]}, "members.1"),
        ({"managers": ["nobody@example.com"]}, "managers.0"),
        ({"members": ["not an address"]}, "members.0"),
        ({"name": "Payments"}, "name"),
        ({"ownedBy": {"team": "x"}}, "owned_by.account"),
        ({"members": "ann@example.com"}, "members"),
        ({"rights": ["tenant-admin"]}, "rights"),
    ],
)
@pytest.mark.usefixtures("ann")
def test_what_is_wrong_with_a_manifest_is_named(
    http: httpx.Client, fields: dict[str, object], field: str
):
    manifest = {"type": "team", "name": "payments", "members": [], **fields}

    answer = http.put("/api/svc/v1/teams", json={"manifest": manifest})

    assert answer.status_code == 422
    assert answer.json()["details"] == [{"field": field}]
    assert "nobody" not in answer.text


def test_both_spellings_of_a_manifest_are_one(http: httpx.Client):
    camel = {"type": "team", "name": "payments", "members": [], "displayName": "Pay"}
    snake = {"type": "team", "name": "payments", "members": [], "display_name": "Pay"}

    made = http.put("/api/svc/v1/teams", json={"manifest": camel}).json()["data"]
    again = http.put("/api/svc/v1/teams", json={"manifest": snake}).json()["data"]

    assert made == again
    assert made["manifest"] == snake


def test_a_put_of_the_same_name_is_an_update(
    client: TrueFoundry, world: World, ann: Person, bob: Person
):
    made = put(client, members=[ann.email])
    world.clock.pass_(minutes=1)

    changed = put(client, members=[bob.email], description="Others now")

    assert (changed.id, changed.created_at) == (made.id, made.created_at)
    assert changed.updated_at > made.updated_at
    assert changed.members == [bob.email]
    assert changed.description == "Others now"
    audited = world.rows(AuditRow, AuditRow.subject_type == "team")
    assert [row.action for row in audited] == ["team.created", "team.updated"]
    assert audited[1].detail["before"]["members"] == [ann.email]


def test_a_put_that_touches_nothing_changes_nothing(client: TrueFoundry, world: World, ann: Person):
    made = put(client, members=[ann.email])
    before = rows(world)
    world.clock.pass_(minutes=1)

    assert put(client, members=[ann.email]) == made
    assert rows(world) == before


def test_a_dry_run_answers_what_would_be_and_writes_nothing(
    client: TrueFoundry, world: World, ann: Person
):
    before = rows(world)

    would = client.teams.create_or_update(
        manifest=TeamManifest(name="payments", members=[ann.email]), dry_run=True
    ).data

    assert would.members == [ann.email]
    assert rows(world) == before
    with pytest.raises(NotFoundError):
        client.teams.get(would.id)


def test_a_deleted_team_is_gone_with_what_was_granted_to_it_and_on_it(
    client: TrueFoundry, world: World, ann: Person, bob: Person
):
    team = put(client, members=[ann.email])
    for subject, fqn, resource, role in (
        ({"type": "team", "name": "payments"}, "acme", "account", "account-viewer"),
        ({"type": "user", "name": bob.email}, "team:payments", "team", "team-admin"),
    ):
        bindings.put_binding(
            world.runtime,
            world.admin,
            {
                "name": f"bind-{role}",
                "subjects": [subject],
                "permissions": [{"resource_type": resource, "resource_fqn": fqn, "role": role}],
            },
        )

    client.teams.delete(team.id)

    refused(404, lambda: client.teams.get(team.id))
    assert world.rows(GrantRow, GrantRow.role.in_(["account-viewer", "team-admin"])) == []
    with world.runtime.database.reading() as session:
        assert session.query(TeamMember).count() == 0


def test_a_team_that_owns_accounts_stays(client: TrueFoundry, world: World):
    team = put(client)
    account, _ = world.create(ownedBy={"team": "payments"})

    with pytest.raises(ConflictError):
        client.teams.delete(team.id, request_options=ONCE)
    account_life.delete_account(world.runtime, world.admin, account.id)
    client.teams.delete(team.id)

    (tombstone,) = world.rows(VirtualAccount, VirtualAccount.id == account.id)
    assert tombstone.team_id is None


def test_the_name_of_a_deleted_team_is_free(client: TrueFoundry):
    first = put(client)
    client.teams.delete(first.id)

    assert put(client).id != first.id


@pytest.mark.parametrize("team_id", [NOWHERE, "payments", "%00"])
def test_what_is_not_there_is_not_found(http: httpx.Client, team_id: str):
    for path in ("", "/members", "/managers", "/permissions"):
        assert http.get(f"/api/svc/v1/teams/{team_id}{path}").status_code == 404
    assert http.delete(f"/api/svc/v1/teams/{team_id}").status_code == 404


def test_an_admin_lists_every_team_and_others_their_own(
    client: TrueFoundry, login: Login, ann: Person, bob: Person
):
    put(client, "aaa", members=[ann.email])
    put(client, "bbb", managers=[ann.email], members=[bob.email])
    put(client, "ccc")

    assert names(client.teams.list()) == ["aaa", "bbb", "ccc"]
    assert names(client.teams.list(role="manager")) == ["aaa", "bbb", "ccc"]
    assert names(login(ann).teams.list()) == ["aaa", "bbb"]
    assert names(login(ann).teams.list(role="manager")) == ["bbb"]
    assert names(login(bob).teams.list()) == ["bbb"]
    assert names(login(bob).teams.list(role="manager")) == []


def test_teams_are_listed_page_by_page_and_without_members_if_asked(
    client: TrueFoundry, ann: Person
):
    for name in ("aaa", "bbb", "ccc"):
        put(client, name, members=[ann.email])

    pages = client.teams.list(limit=2, include_membership=False)

    shown = [
        [(t.manifest.name, t.members, t.top_members) for t in p.items or []]
        for p in pages.iter_pages()
    ]
    assert shown == [
        [("aaa", None, [ann.email]), ("bbb", None, [ann.email])],
        [("ccc", None, [ann.email])],
    ]


def test_a_page_takes_as_many_queries_however_many_teams_it_has(
    client: TrueFoundry, http: httpx.Client, world: World, ann: Person
):
    def counted() -> int:
        queries: list[str] = []

        def note(*args: object) -> None:
            queries.append(str(args[2]))

        event.listen(world.runtime.database.engine, "before_cursor_execute", note)
        try:
            assert http.get("/api/svc/v1/teams/user").status_code == 200
        finally:
            event.remove(world.runtime.database.engine, "before_cursor_execute", note)
        return len(queries)

    put(client, "aaa", members=[ann.email])
    one = counted()
    for name in ("bbb", "ccc", "ddd"):
        put(client, name, managers=[ann.email])

    assert counted() == one
