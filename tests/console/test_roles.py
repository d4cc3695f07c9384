"""Roles and role bindings at the console: made, changed, held; deleted once nobody holds them."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.actors import Actor
from models import CustomRole, RoleBinding
from services.access.bindings import put_binding
from services.access.roles import put_role
from services.operation.bootstrap import ensure_tenant
from services.people.teams import put_team
from tests.console.as_sent import as_sent
from tests.console.visits import Visitor, Visitors
from tests.support.persons import person
from tests.support.world import LIMITS, World

READER = {
    "name": "key-reader",
    "display_name": "Key reader",
    "description": "Looks.",
    "resource_type": "virtual-account",
    "permissions": ["virtual-account:read"],
}


@pytest.fixture
def role(world: World) -> str:
    """The path of a role that nobody holds."""
    return f"/roles/{put_role(world.runtime, world.admin, READER).row.id}"


def binding(world: World, **manifest: object) -> RoleBinding:
    given = {
        "name": "on-call",
        "subjects": [{"type": "user", "name": "bob@example.com"}],
        "permissions": [
            {
                "resource_type": "virtual-account",
                "resource_fqn": "virtualaccount:ci-bot",
                "role": "key-reader",
            }
        ],
    }
    return put_binding(world.runtime, world.admin, {**given, **manifest}).row


def test_a_role_is_made_by_ticking_what_it_allows(world: World, admin: Page):
    admin.goto("/roles")
    admin.get_by_role("link", name="New role").click()
    admin.get_by_label("Name", exact=True).fill("key-turner")
    admin.get_by_label("Display name").fill("Key turner")
    admin.get_by_label("It is given on").select_option("virtual-account")
    admin.get_by_role("button", name="Create").click()
    expect(admin.get_by_role("alert")).to_contain_text("at least 1 item")

    admin.get_by_label("virtual-account read", exact=True).check()
    admin.get_by_label("virtual-account manage").focus()
    admin.keyboard.press("Space")
    admin.get_by_role("button", name="Create").click()

    expect(admin.get_by_text("The role is there. Nobody holds it yet.")).to_be_visible()
    (row,) = world.rows(CustomRole)
    assert (row.resource_type, row.actions) == (
        "virtual-account",
        ["virtual-account:manage", "virtual-account:read"],
    )


def test_a_role_says_who_holds_it_and_cannot_go_before_they_do(
    world: World, ann: Visitor, role: str
):
    person(world, "bob@example.com")
    row = binding(world)

    page = re.sub(r"<[^>]+>|\s+", " ", ann.get(role).text)
    assert re.search(r"bob@example.com +person +virtualaccount:ci-bot .*on-call", page)
    assert "1 time" in ann.get("/roles").text
    refused = ann.get(f"{role}/delete").text
    assert "It is given 1 time. Take it away from all of them first" in refused
    assert ann.post(f"{role}/delete").status_code == 409

    ann.post(f"/role-bindings/{row.id}/delete")
    assert "Nobody holds it, so nothing stops working." in ann.get(f"{role}/delete").text
    assert ann.post(f"{role}/delete").headers["location"] == "/roles?done=role-deleted"


def test_built_in_roles_are_shown_and_stay_as_they_are(ann: Visitor):
    assert "virtual-account-viewer" in ann.get("/roles?show=built-in").text
    page = ann.get("/roles/tenant-admin").text

    assert "Everything in the tenant." in page
    assert "admin@example.com" in page
    assert "/roles/tenant-admin/edit" not in page
    assert ann.get("/roles/tenant-admin/edit").status_code == 404
    assert ann.post("/roles/tenant-admin/delete").status_code == 409


def test_a_role_is_changed_unless_somebody_else_did_meanwhile(
    world: World, ann: Visitor, role: str
):
    sent = as_sent(ann.get(f"{role}/edit").text, f"{role}/edit")
    assert sent["permissions"] == ["virtual-account:read"]
    sent["permissions"].append("virtual-account:use")

    assert ann.post(f"{role}/edit", sent).headers["location"] == f"{role}?done=saved"
    assert ann.post(f"{role}/edit", sent).status_code == 412
    (row,) = world.rows(CustomRole)
    assert row.actions == ["virtual-account:read", "virtual-account:use"]


def test_a_binding_gives_roles_to_several_and_marks_the_row_that_is_wrong(
    world: World, admin: Page, role: str
):
    person(world, "bob@example.com")
    put_team(world.runtime, world.admin, {"name": "builders", "members": []})
    admin.goto("/role-bindings/new")
    admin.get_by_label("Name", exact=True).first.fill("on-call")
    admin.get_by_label("Name", exact=True).nth(1).fill("bob@example.com")
    admin.get_by_role("button", name="Somebody else").click()
    admin.get_by_label("Kind").nth(1).select_option("Team")
    admin.get_by_label("Name", exact=True).nth(2).fill("bilders")
    admin.get_by_label("Role").select_option("key-reader")
    admin.get_by_label("On", exact=True).fill("virtualaccount:ci-bot")
    admin.get_by_role("button", name="Create").click()

    wrong = admin.get_by_label("Name", exact=True).nth(2)
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_accessible_description(re.compile("There is no team of this name"))
    wrong.fill("builders")
    admin.get_by_role("button", name="Create").click()

    expect(admin.get_by_text("They hold it, with the next request.")).to_be_visible()
    (row,) = world.rows(RoleBinding)
    assert [one["name"] for one in row.manifest["subjects"]] == ["bob@example.com", "builders"]
    assert row.manifest["permissions"][0]["role"] == "key-reader"


def test_an_emptied_row_takes_the_role_away(world: World, ann: Visitor, role: str):
    for email in ("bob@example.com", "cem@example.com"):
        person(world, email)
    subjects = [{"type": "user", "name": f"{one}@example.com"} for one in ("bob", "cem")]
    row = binding(world, subjects=subjects)
    path = f"/role-bindings/{row.id}/edit"
    sent = {**as_sent(ann.get(path).text, path), "subjects.0.name": ""}

    answer = ann.post(f"/role-bindings/{row.id}/edit", sent)

    assert answer.headers["location"] == f"/role-bindings/{row.id}?done=saved"
    shown = ann.get(f"/role-bindings/{row.id}").text
    assert "cem@example.com" in shown
    assert "bob@example.com" not in shown


def test_nobody_gives_what_they_do_not_hold(world: World, visitors: Visitors, role: str):
    bob = visitors.member()
    manager = put_role(
        world.runtime,
        world.admin,
        {
            **READER,
            "name": "binder",
            "resource_type": "tenant",
            "permissions": ["role-binding:create", "role-binding:read", "role:read"],
        },
    )
    binding(
        world,
        name="binders",
        permissions=[{"resource_type": "tenant", "resource_fqn": "acme", "role": manager.row.name}],
    )

    answer = visitors.by_http(bob).post(
        "/role-bindings/new",
        {
            "name": "mine-all-mine",
            "subjects.0.type": "user",
            "subjects.0.name": bob.email,
            "permissions.0.role": "tenant|tenant-admin",
            "permissions.0.resource": "acme",
        },
    )

    assert answer.status_code == 403
    assert "you do not hold tenant-admin on acme yourself" in answer.text
    assert 'value="mine-all-mine"' in answer.text


def test_whoever_reads_no_roles_sees_neither_them_nor_bindings(visitors: Visitors, role: str):
    bob = visitors.by_http(visitors.member())

    home = bob.get("/device").text

    assert 'href="/roles"' not in home
    assert 'href="/role-bindings"' not in home
    for path in ("/roles", role, "/roles/new", "/role-bindings", "/role-bindings/new"):
        assert bob.get(path).status_code == 403, path


def test_roles_and_bindings_of_another_tenant_are_not_there(world: World, ann: Visitor):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    them = Actor.operator(other, "them")
    role = put_role(world.runtime, them, READER).row
    subjects = [{"type": "user", "name": "a@u.example"}]
    permissions = [{"resource_type": "tenant", "resource_fqn": "umbrella", "role": "tenant-admin"}]
    made = {"name": "theirs", "subjects": subjects, "permissions": permissions}
    theirs = put_binding(world.runtime, them, made).row

    for path in ("", "/edit", "/delete"):
        assert ann.get(f"/roles/{role.id}{path}").status_code == 404
        assert ann.get(f"/role-bindings/{theirs.id}{path}").status_code == 404
    assert ann.post(f"/role-bindings/{theirs.id}/delete").status_code == 404
