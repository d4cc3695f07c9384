"""Teams at the console: made, changed line by line, and deleted once they own nothing."""

import pytest
from playwright.sync_api import Page, expect

from core.actors import Actor
from services.operation.bootstrap import ensure_tenant
from services.people.teams import put_team
from tests.console.as_sent import as_sent
from tests.console.asked import asked
from tests.console.visits import Visitor, Visitors
from tests.support.persons import person
from tests.support.world import LIMITS, World


@pytest.fixture
def team(world: World, visitors: Visitors) -> str:
    """The path of a team that bob manages, with cem in it."""
    for email in ("bob@example.com", "cem@example.com"):
        visitors.member(email)
    manifest = {
        "name": "builders",
        "managers": ["bob@example.com"],
        "members": ["cem@example.com"],
        "tags": {"cost": 1},
    }
    return f"/teams/{put_team(world.runtime, world.admin, manifest).row.id}"


def test_a_team_is_made_and_a_wrong_address_is_named_beside_its_field(world: World, admin: Page):
    person(world, "bob@example.com")
    admin.goto("/teams")
    admin.get_by_role("link", name="New team").click()
    admin.get_by_label("Name", exact=True).fill("builders")
    admin.get_by_label("Managers").fill("bob@example.com")
    admin.get_by_label("Members").fill("bob@example.com\nnobody@example.com")
    admin.get_by_role("button", name="Create").click()

    members = admin.get_by_label("Members")
    expect(members).to_have_attribute("aria-invalid", "true")
    expect(members).to_have_accessible_description(
        "nobody@example.com: there is no user with this address here. "
        "E-mail addresses, one on each line."
    )
    members.fill("")
    admin.get_by_role("button", name="Create").click()

    expect(admin.get_by_text("The team is there.")).to_be_visible()
    expect(admin.get_by_role("link", name="bob@example.com")).to_be_visible()


def test_saving_an_untouched_form_changes_nothing(world: World, ann: Visitor, team: str):
    before = as_sent(ann.get(f"{team}/edit").text, f"{team}/edit")

    answer = ann.post(f"{team}/edit", before)

    assert answer.headers["location"] == f"{team}?done=saved"
    after = as_sent(ann.get(f"{team}/edit").text, f"{team}/edit")
    assert after["tag"] == before["tag"]


def test_what_somebody_else_changed_meanwhile_is_not_undone(world: World, ann: Visitor, team: str):
    sent = as_sent(ann.get(f"{team}/edit").text, f"{team}/edit")
    put_team(world.runtime, world.admin, {"name": "builders", "members": ["bob@example.com"]})

    answer = ann.post(f"{team}/edit", sent)

    assert answer.status_code == 412
    assert "Somebody else changed it first" in answer.text
    assert "cem@example.com" not in ann.get(team).text


def test_a_name_that_is_taken_is_said_beside_the_name(ann: Visitor, team: str):
    answer = ann.post("/teams/new", {"name": "builders"})

    assert answer.status_code == 422
    assert "This name is taken already." in answer.text


def test_a_team_is_deleted_once_it_owns_nothing(world: World, ann: Visitor, team: str):
    owner = {"ownedBy": {"team": "builders"}}
    account, _ = world.create("ci-bot", **owner)

    refused = ann.get(f"{team}/delete").text
    assert "It owns 1 virtual account." in refused
    assert f"/virtual-accounts/{account.id}" in refused
    assert f'action="{team}/delete"' not in refused
    assert ann.post(f"{team}/delete").status_code == 409

    world.put("ci-bot")
    assert "2 people stay and lose" in ann.get(f"{team}/delete").text
    assert ann.post(f"{team}/delete").headers["location"] == "/teams?done=team-deleted"
    assert ann.get(team).status_code == 404


def test_a_manager_changes_who_is_in_the_team_and_deletes_nothing(
    visitors: Visitors, world: World, team: str
):
    bob = visitors.by_http(person(world, "bob@example.com", token_name="second"))
    sent = as_sent(bob.get(f"{team}/edit").text, f"{team}/edit")

    saved = bob.post(f"{team}/edit", {**sent, "members": ""})

    assert saved.headers["location"] == f"{team}?done=saved"
    page = bob.get(team).text
    assert "cem@example.com" not in page
    assert f"{team}/delete" not in page
    assert bob.post(f"{team}/delete").status_code == 403
    assert "New team" not in bob.get("/teams").text
    assert bob.post("/teams/new", {"name": "others"}).status_code == 403


def test_people_see_their_own_teams_and_no_others(world: World, visitors: Visitors, team: str):
    put_team(world.runtime, world.admin, {"name": "secret-team", "members": []})
    bob = visitors.by_http(person(world, "bob@example.com", token_name="second"))

    page = bob.get("/teams").text

    assert "builders" in page
    assert "secret-team" not in page


def test_teams_of_another_tenant_are_not_there(world: World, ann: Visitor):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    theirs = put_team(
        world.runtime, Actor.operator(other, "them"), {"name": "theirs", "members": []}
    )

    for path in ("", "/edit", "/delete"):
        assert ann.get(f"/teams/{theirs.row.id}{path}").status_code == 404
    assert "theirs" not in ann.get("/teams").text


def test_a_page_of_teams_takes_as_many_questions_however_many_they_are(
    world: World, ann: Visitor, team: str
):
    def count(path: str) -> int:
        with asked(world) as said:
            assert ann.get(path).status_code == 200
        return len(said)

    few = count("/teams"), count(team)
    for number in range(20):
        person(world, f"p{number}@example.com")
        members = [f"p{one}@example.com" for one in range(number)]
        put_team(world.runtime, world.admin, {"name": f"team-{number}", "members": members})
    put_team(
        world.runtime,
        world.admin,
        {"name": "builders", "members": [f"p{one}@example.com" for one in range(20)]},
    )

    assert (count("/teams"), count(team)) == few
