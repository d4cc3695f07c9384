"""People at the console: added, given roles, deactivated, their tokens revoked, deleted."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from models import AuditRow, PersonalAccessToken, User
from services.operation.bootstrap import ensure_tenant
from services.people.personal_tokens import Wanted, create_for
from services.people.teams import put_team
from services.people.user_life import change_roles
from tests.console.asked import asked
from tests.console.visits import Visitor, Visitors
from tests.support.persons import Person, logged_in, person
from tests.support.world import LIMITS, World


@pytest.fixture
def bob(visitors: Visitors) -> Person:
    """Somebody with a token named laptop."""
    return visitors.member()


def user(world: World, email: str) -> User:
    (found,) = world.rows(User, User.email == email)
    return found


def rows_of(page: str) -> list[str]:
    return re.findall(r'<a class="main" href="/users/[^"]+">([^<]+)</a>', page)


def test_an_admin_adds_somebody_and_passes_the_link_on(world: World, admin: Page):
    admin.goto("/users")
    admin.get_by_role("link", name="Add somebody").click()
    admin.get_by_label("E-mail address").fill("new@example.com")
    admin.get_by_role("button", name="Add").click()

    expect(admin.get_by_role("heading", name="Pass this link on")).to_be_visible()
    link = admin.get_by_label("Invitation link").inner_text()
    assert link.startswith("http://127.0.0.1:8400/welcome?token=tfy_inv_")
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.get_by_role("button", name="Copy").click()
    expect(admin.get_by_role("button", name="Copied")).to_be_visible()
    assert admin.evaluate("navigator.clipboard.readText()") == link
    admin.goto("/users?q=new@")
    expect(admin.get_by_role("row", name="new@example.com tenant-member invited")).to_be_visible()


def test_a_person_is_deactivated_by_keyboard_after_reading_what_stops(
    world: World, admin: Page, bob: Person
):
    logged_in(world, bob)
    admin.goto(f"/users/{bob.id}")

    admin.get_by_role("link", name="Deactivate").focus()
    admin.keyboard.press("Enter")
    dialog = admin.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Deactivate bob@example.com?")).to_be_visible()
    expect(dialog).to_contain_text("1 personal access token and 1 login session work no more")
    admin.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert user(world, bob.email).active

    admin.keyboard.press("Enter")
    dialog.get_by_role("button", name="Deactivate").press("Enter")
    expect(admin.get_by_text("Nothing of theirs works any more.")).to_be_visible()
    assert not user(world, bob.email).active
    admin.get_by_role("button", name="Activate").click()
    expect(admin.get_by_text("What was not revoked works again.")).to_be_visible()
    assert user(world, bob.email).active


def test_the_list_narrows_while_somebody_types(admin: Page, bob: Person):
    admin.goto("/users")
    expect(admin.get_by_role("link", name="admin@example.com")).to_be_visible()

    admin.get_by_label("E-mail address").press_sequentially("bo")

    expect(admin.get_by_role("link", name="admin@example.com")).to_be_hidden()
    expect(admin.get_by_role("link", name="bob@example.com")).to_be_visible()
    expect(admin).to_have_url(re.compile(r"q=bo"))
    expect(admin.get_by_label("E-mail address")).to_be_focused()


def test_a_token_for_somebody_is_shown_once(world: World, ann: Visitor, bob: Person):
    made = ann.post(f"/users/{bob.id}/tokens/new", {"name": "release-checks", "ends": "2026-12-31"})

    token = re.search(r"tfy_pat_\w+", made.text)[0]
    assert made.headers["cache-control"] == "no-store"
    page = ann.get(f"/users/{bob.id}").text
    assert "release-checks" in page
    assert f"ends with {token[-4:]}" in page
    assert token not in page


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"name": "X"}, "A name has 3 to 36 characters"),
        ({"name": "laptop"}, "bob@example.com has a personal access token named laptop already."),
        ({"name": "fine-name", "ends": "2020-01-01"}, "Give today or a later day."),
        ({"name": "fine-name", "ends": "soon"}, "Give a date like 2026-12-31."),
        ({"name": "fine-name", "team": "nobodys"}, "The owner is in no team of this name."),
    ],
)
def test_what_is_wrong_with_a_token_is_said_in_its_form(
    ann: Visitor, bob: Person, sent: dict[str, str], said: str
):
    answer = ann.post(f"/users/{bob.id}/tokens/new", sent)

    assert answer.status_code in {409, 422}
    assert said in answer.text
    assert f'value="{sent["name"]}"' in answer.text


def test_whoever_signed_in_with_a_token_makes_none(
    world: World, anybody: httpx.Client, visitors: Visitors, bob: Person
):
    ann = visitors.admin()
    anybody.post("/sign-in", data={"token": ann.token})

    answer = Visitor(anybody, ann).post(f"/users/{bob.id}/tokens/new", {"name": "one-more"})

    assert answer.status_code == 403
    assert "log in without one" in answer.text


def test_one_token_is_revoked_or_all_of_them(world: World, ann: Visitor, bob: Person):
    create_for(world.runtime, world.admin, bob.email, Wanted("second"))
    path = f"/users/{bob.id}/tokens/{bob.token_id}/revoke"

    assert "Revoke laptop of bob@example.com?" in ann.get(path).text
    assert ann.post(path).headers["location"] == f"/users/{bob.id}?done=token-revoked"
    assert ann.get(path).status_code == 404
    asks = ann.get(f"/users/{bob.id}/tokens/revoke-all").text
    assert "1 personal access token stops working" in asks
    ann.post(f"/users/{bob.id}/tokens/revoke-all")

    of_bob = world.rows(PersonalAccessToken, PersonalAccessToken.user_id == bob.id)
    assert [row.revoked_at is not None for row in of_bob] == [True, True]


def test_roles_on_the_tenant_are_exactly_those_that_are_ticked(
    world: World, ann: Visitor, bob: Person
):
    ann.post(f"/users/{bob.id}/roles", {"roles": ["tenant-admin", "account-viewer"]})
    assert 'value="tenant-admin" checked' in ann.get(f"/users/{bob.id}/roles").text

    answer = ann.post(f"/users/{bob.id}/roles", {"roles": "account-viewer"})

    assert answer.headers["location"] == f"/users/{bob.id}?done=roles-changed"
    assert "account-viewer" in ann.get(f"/users/{bob.id}").text
    changes = [row.detail for row in world.rows(AuditRow) if row.action == "user.roles-changed"]
    assert changes[-1]["after"] == ["account-viewer"]


def test_the_last_admin_stays_and_the_page_says_why(world: World, visitors: Visitors, ann: Visitor):
    first = user(world, "admin@example.com")
    ann.post(f"/users/{first.id}/delete")

    answer = ann.post(f"/users/{ann.who.id}/roles", {})

    assert answer.status_code == 409
    assert "This is the last active tenant-admin: make somebody else one first." in answer.text


def test_a_page_says_what_a_person_holds_and_through_what(world: World, ann: Visitor, bob: Person):
    put_team(world.runtime, world.admin, {"name": "builders", "members": [bob.email]})
    change_roles(world.runtime, world.admin, bob.email, ["account-viewer"])

    page = re.sub(r"<[^>]+>|\s+", " ", ann.get(f"/users/{bob.id}").text)

    assert re.search(r"tenant-member +acme +tenant +everybody has it", page)
    assert re.search(r"account-viewer +acme +tenant +their own", page)
    assert re.search(r"team-member +team:builders +team +team builders", page)


def test_deleting_says_what_goes_and_the_person_is_gone(world: World, ann: Visitor, bob: Person):
    put_team(
        world.runtime, world.admin, {"name": "builders", "members": [], "managers": [bob.email]}
    )

    asks = ann.get(f"/users/{bob.id}/delete").text
    answer = ann.post(f"/users/{bob.id}/delete")

    assert "1 personal access token and 0 login sessions" in asks
    assert "Nobody will manage builders." in asks
    assert answer.headers["location"] == "/users?done=user-deleted"
    assert ann.get(f"/users/{bob.id}").status_code == 404


def test_inactive_people_are_shown_if_asked_for(world: World, ann: Visitor, bob: Person):
    ann.post(f"/users/{bob.id}/deactivate")

    assert "bob@example.com" not in rows_of(ann.get("/users").text)
    assert "bob@example.com" in rows_of(ann.get("/users?show=all").text)


def test_whoever_may_only_read_people_is_offered_nothing(visitors: Visitors, bob: Person):
    reader = visitors.by_http(bob)
    other = visitors.admin()

    page = reader.get(f"/users/{other.id}").text

    assert "Deactivate" not in page
    assert 'id="tokens"' not in page
    assert "Add somebody" not in reader.get("/users").text
    for path in ("roles", "deactivate", "delete", "tokens/new", "tokens/revoke-all"):
        assert reader.get(f"/users/{other.id}/{path}").status_code == 403, path
        assert reader.post(f"/users/{other.id}/{path}", {"name": "abc"}).status_code == 403, path
    assert reader.post("/users/new", {"email": "x@example.com"}).status_code == 403


def test_people_of_another_tenant_are_not_there(world: World, ann: Visitor):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    eve = person(world, "eve@example.org", tenant_id=other)

    paths = ("", "/roles", "/deactivate", "/delete", "/tokens/new", "/tokens/revoke-all")
    answers = {path: ann.get(f"/users/{eve.id}{path}").status_code for path in paths}

    assert set(answers.values()) == {404}
    assert ann.get(f"/users/{ann.who.id}/tokens/{eve.token_id}/revoke").status_code == 404
    assert ann.post(f"/users/{eve.id}/delete").status_code == 404
    assert "eve@example.org" not in ann.get("/users").text


def test_a_page_of_people_takes_as_many_questions_however_many_they_are(world: World, ann: Visitor):
    def count() -> int:
        with asked(world) as said:
            assert ann.get("/users").status_code == 200
        return len(said)

    few = count()
    for number in range(30):
        person(world, f"p{number}@example.com")

    assert count() == few
