"""Secret groups at the console: made, filled, shown on purpose, shared, deleted."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.actors import Actor
from models import AuditRow, Secret, SecretGroup
from services.operation.bootstrap import ensure_tenant
from services.secrets.secret_groups import put_secret, put_secret_group
from services.secrets.secrets import get_secret
from tests.console.as_sent import as_sent
from tests.console.asked import asked
from tests.console.visits import Visitor, Visitors
from tests.support.persons import person
from tests.support.world import LIMITS, World

VALUE = "s3cret <value> & more"


@pytest.fixture
def group(world: World) -> SecretGroup:
    """A group with one key."""
    made = put_secret_group(world.runtime, world.admin, {"name": "shared-keys"}).row
    put_secret(world.runtime, world.admin, str(made.id), "grafana", VALUE)
    return made


def path_of(group: SecretGroup) -> str:
    return f"/secret-groups/{group.id}"


def secret_of(world: World, key: str = "grafana") -> Secret:
    (found,) = world.rows(Secret, Secret.key == key)
    return found


def actions(world: World) -> list[str]:
    return [row.action for row in world.rows(AuditRow)]


def test_a_group_is_made_and_a_value_put_and_shown_on_purpose(world: World, admin: Page):
    admin.goto("/secret-groups")
    admin.get_by_role("link", name="New group").click()
    admin.get_by_label("Name", exact=True).first.fill("shared-keys")
    admin.get_by_role("button", name="Create").click()
    expect(admin.get_by_text("The group is there, with nothing in it.")).to_be_visible()
    admin.get_by_label("Key", exact=True).fill("grafana")
    admin.get_by_label("Value", exact=True).fill(VALUE)
    admin.get_by_role("button", name="Put").click()

    expect(admin.get_by_role("row", name="grafana")).to_be_visible()
    expect(admin.get_by_text(VALUE)).to_have_count(0)
    assert "secret.read" not in actions(world)
    admin.get_by_role("button", name="Show").press("Enter")

    expect(admin.get_by_label("Version 1")).to_have_text(VALUE)
    assert "secret.read" in actions(world)


def test_a_value_is_never_on_a_page_that_did_not_ask_for_it(
    world: World, ann: Visitor, group: SecretGroup
):
    secret = secret_of(world)

    for path in ("", "/edit", "/delete", f"/secrets/{secret.id}/delete"):
        assert "s3cret" not in ann.get(f"{path_of(group)}{path}").text
    shown = ann.post(f"{path_of(group)}/secrets/{secret.id}/reveal")
    assert "s3cret &lt;value&gt; &amp; more" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert ann.get(f"{path_of(group)}/secrets/{secret.id}/reveal").status_code == 404


def test_another_value_is_another_version_and_the_other_keys_stay(
    world: World, ann: Visitor, group: SecretGroup
):
    ann.post(f"{path_of(group)}/secrets", {"key": "registry", "value": "one"})
    ann.post(f"{path_of(group)}/secrets", {"key": "registry", "value": "two"})
    ann.post(f"{path_of(group)}/secrets", {"key": "registry", "value": "two"})

    view = get_secret(world.runtime, world.admin, str(secret_of(world, "registry").id))
    assert [value.get_secret_value() for _, value in view.versions] == ["two", "one"]
    assert secret_of(world).version == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"key": "no spaces", "value": "x"}, "A key has 1 to 128 characters"),
        ({"key": "", "value": "x"}, "A key has 1 to 128 characters"),
        ({"key": "big", "value": "x" * 70_000}, "A value has at most 65536 bytes"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    ann: Visitor, group: SecretGroup, sent: dict[str, str], said: str
):
    answer = ann.post(f"{path_of(group)}/secrets", sent)

    assert answer.status_code == 422
    assert said in answer.text
    assert "x" * 100 not in answer.text


def test_a_key_that_an_account_keeps_says_so_and_is_not_overwritten(
    world: World, ann: Visitor, group: SecretGroup
):
    account, _ = world.create(
        secret_store_config={"type": "tfy-secrets", "secret_group": "shared-keys", "key": "bot"}
    )
    world.drain()
    page = ann.get(path_of(group)).text
    assert f"/virtual-accounts/{account.id}" in page
    kept = f"{path_of(group)}/secrets/{secret_of(world, 'bot').id}"

    overwritten = ann.post(f"{path_of(group)}/secrets", {"key": "bot", "value": "mine"})
    assert overwritten.status_code == 409
    assert "kept by the virtual account ci-bot" in overwritten.text
    assert "Delete it all the same" in ann.get(f"{kept}/delete").text
    assert ann.post(f"{kept}/delete").status_code == 409
    assert ann.post(f"{kept}/delete", {"force": "yes"}).status_code == 303

    assert "1 virtual account keeps its token in it" in ann.get(f"{path_of(group)}/delete").text
    assert ann.post(f"{path_of(group)}/delete").status_code == 409
    answer = ann.post(f"{path_of(group)}/delete", {"force": "yes"})
    assert answer.headers["location"] == "/secret-groups?done=group-deleted"


def test_who_may_use_it_is_written_row_by_row(world: World, ann: Visitor, group: SecretGroup):
    person(world, "bob@example.com")
    path = f"{path_of(group)}/edit"
    sent = as_sent(ann.get(path).text, path)
    row = {"collaborators.0.type": "user", "collaborators.0.role": "secret-group-member"}
    refused = ann.post(path, {**sent, **row, "collaborators.0.name": "nobody@example.com"})
    assert 'id="field-collaborators-0-name-error">There is no user' in refused.text

    ann.post(path, {**sent, **row, "collaborators.0.name": "bob@example.com"})

    assert as_sent(ann.get(path).text, path)["collaborators.0.name"] == ["bob@example.com"]
    assert ann.post(path, {**sent, **row, "collaborators.0.name": ""}).status_code == 412


def test_whoever_may_only_look_sees_no_value(world: World, visitors: Visitors, group: SecretGroup):
    bob = visitors.member()
    for role, sees in (("secret-group-viewer", False), ("secret-group-member", True)):
        put_secret_group(
            world.runtime,
            world.admin,
            {
                "name": "shared-keys",
                "collaborators": [{"subject": "user:bob@example.com", "role_id": role}],
            },
        )
        visitor = visitors.by_http(bob)
        page = visitor.get(path_of(group)).text
        reveal = f"{path_of(group)}/secrets/{secret_of(world).id}/reveal"
        assert "grafana" in page
        assert ("/reveal" in page) is sees
        assert visitor.post(reveal).status_code == (200 if sees else 403)
        assert "Put a value" not in page
        assert visitor.post(f"{path_of(group)}/secrets", {"key": "k", "value": "v"}).is_error
        assert visitor.post(f"{path_of(group)}/delete").status_code == 403
        assert 'href="/secret-groups"' in page


def test_whoever_has_none_is_not_shown_the_way(visitors: Visitors, group: SecretGroup):
    bob = visitors.by_http(visitors.member())

    assert 'href="/secret-groups"' not in bob.get("/device").text
    assert "shared-keys" not in bob.get("/secret-groups").text
    assert bob.get(path_of(group)).status_code == 403
    assert bob.get("/secret-groups/new").status_code == 403


def test_groups_of_another_tenant_are_not_there(world: World, ann: Visitor, group: SecretGroup):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    them = Actor.operator(other, "them")
    theirs = put_secret_group(world.runtime, them, {"name": "their-keys"}).row
    put_secret(world.runtime, them, str(theirs.id), "mine", "x")
    secret = secret_of(world, "mine")

    for path in ("", "/edit", "/delete", f"/secrets/{secret.id}/delete"):
        assert ann.get(f"{path_of(theirs)}{path}").status_code == 404, path
    for path in ("/secrets", "/delete", f"/secrets/{secret.id}/reveal"):
        assert ann.post(f"{path_of(theirs)}{path}", {"key": "k"}).status_code == 404, path
    assert ann.post(f"{path_of(group)}/secrets/{secret.id}/reveal").status_code == 404
    assert ann.post(f"{path_of(group)}/secrets/{secret.id}/delete").status_code == 404
    assert not re.search("their-keys", ann.get("/secret-groups").text)


def test_a_page_takes_as_many_questions_however_many_keys_there_are(
    world: World, ann: Visitor, group: SecretGroup
):
    def count(path: str) -> int:
        with asked(world) as said:
            assert ann.get(path).status_code == 200
        return len(said)

    few = count("/secret-groups"), count(path_of(group))
    for number in range(12):
        put_secret(world.runtime, world.admin, str(group.id), f"key-{number}", "x")
        put_secret_group(world.runtime, world.admin, {"name": f"more-{number}"})

    assert (count("/secret-groups"), count(path_of(group))) == few
