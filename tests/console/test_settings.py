"""Security settings at the console: limits, what becomes of tokens beyond them, signing keys."""

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from core.errors import Forbidden
from core.roles import NOTHING
from models import AuditRow, PersonalAccessToken, SigningKey, Tenant
from services.engine.signing import list_signing_keys, rotate_signing_key
from services.operation.tenants import set_limits
from tests.console.as_sent import as_sent
from tests.console.visits import Visitor, Visitors
from tests.support.persons import Person
from tests.support.world import World

PATH = "/settings/security"


@pytest.fixture
def bob(visitors: Visitors) -> Person:
    """Somebody whose token has no end."""
    return visitors.member()


def tenant(world: World) -> Tenant:
    with world.runtime.database.reading() as session:
        return session.get_one(Tenant, world.tenant_id)


def form(ann: Visitor) -> dict[str, list[str]]:
    return as_sent(ann.get(PATH).text, PATH)


def ends(world: World, who: Person):
    (row,) = world.rows(PersonalAccessToken, PersonalAccessToken.id == who.token_id)
    return row.expires_at


def test_a_limit_that_tokens_exceed_asks_what_becomes_of_them(
    world: World, admin: Page, bob: Person
):
    admin.goto(PATH)
    admin.get_by_label("Longest life").fill("30d")
    admin.get_by_label("Longest life").press("Enter")

    expect(admin.get_by_role("heading", name="What becomes of 2 tokens?")).to_be_visible()
    expect(admin.get_by_role("row", name="bob@example.com laptop never")).to_be_visible()
    assert tenant(world).pat_longest_life is None
    admin.get_by_label("They are shortened").check()
    admin.get_by_role("button", name="Save").click()

    expect(admin.get_by_text("Saved.")).to_be_visible()
    assert tenant(world).pat_longest_life == timedelta(days=30)
    assert ends(world, bob) == world.clock.now() + timedelta(days=30)


def test_tokens_beyond_a_limit_may_stay(world: World, ann: Visitor, bob: Person):
    asks = ann.post(PATH, {**form(ann), "pat_longest_life": "30d"})
    sent = as_sent(asks.text, PATH)
    assert sent["existing"] == ["leave"]

    answer = ann.post(PATH, sent)

    assert answer.headers["location"] == f"{PATH}?done=saved"
    assert tenant(world).pat_longest_life == timedelta(days=30)
    assert ends(world, bob) is None
    assert "2 tokens go on for longer than a new one could" in ann.get(PATH).text


def test_only_what_was_touched_is_changed(world: World, ann: Visitor):
    sent = {**form(ann), "session_length": "8h", "pat_most_per_user": "5"}
    set_limits(world.runtime, world.admin, {"max_hold": timedelta(days=3)})

    ann.post(PATH, sent)

    now = tenant(world)
    assert now.session_length == timedelta(hours=8)
    assert now.pat_most_per_user == 5
    assert now.max_hold == timedelta(days=3)
    ann.post(PATH, {**form(ann), "pat_most_per_user": ""})
    assert tenant(world).pat_most_per_user is None


def test_a_form_that_nobody_touched_says_so(world: World, ann: Visitor):
    assert ann.post(PATH, form(ann)).headers["location"] == f"{PATH}?done=unchanged"
    assert "tenant.limits-changed" not in {row.action for row in world.rows(AuditRow)}


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("session_length", "a while", "Give a duration like 90s"),
        ("session_length", "", "Give a duration like 90s"),
        ("session_length", "0s", "Give more than nothing."),
        ("default_grace", "0.5s", "Give at least the smallest grace"),
        ("pat_longest_life", "1h", "Give at least 1d"),
        ("pat_most_per_user", "-1", "Give a whole number."),
        ("pat_most_per_user", "9" * 30, "Give a number between 0 and 1,000,000."),
        ("jwt_algorithm", "none", "Give EdDSA or RS256."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    world: World, ann: Visitor, field: str, given: str, said: str
):
    before = vars(tenant(world)).copy()

    answer = ann.post(PATH, {**form(ann), field: given})

    assert answer.status_code == 422
    assert f'id="field-{field}-error">{said}' in answer.text
    assert vars(tenant(world)).keys() == before.keys()
    assert getattr(tenant(world), field) == before[field]


def test_a_new_signing_key_is_published_before_it_signs(world: World, admin: Page):
    rotate_signing_key(world.runtime, world.admin, at_once=True)
    admin.goto(PATH)
    expect(admin.get_by_role("row", name="signing")).to_have_count(1)

    admin.get_by_role("link", name="New key").press("Enter")
    dialog = admin.get_by_role("dialog")
    expect(dialog).to_contain_text("signs in 10m")
    dialog.get_by_role("button", name="Make it").click()

    expect(admin.get_by_text("A new signing key is published.")).to_be_visible()
    states = {one.state for one in list_signing_keys(world.runtime, world.admin)}
    assert states == {"signing", "coming"}


def test_a_leaked_key_is_replaced_at_once(world: World, ann: Visitor):
    ann.post(f"{PATH}/signing-keys/rotate", {"at_once": "yes"})

    (key,) = world.rows(SigningKey)
    assert key.signs_from == world.clock.now()


def test_settings_are_for_whoever_may_read_them(world: World, visitors: Visitors, bob: Person):
    visitor = visitors.by_http(bob)

    assert 'href="/settings/security"' not in visitor.get("/device").text
    assert visitor.get(PATH).status_code == 403
    assert visitor.post(PATH, {"session_length": "1h"}).status_code == 403
    assert visitor.get(f"{PATH}/signing-keys/rotate").status_code == 403
    assert visitor.post(f"{PATH}/signing-keys/rotate").status_code == 403
    nobody = replace(world.admin, permits=NOTHING)
    for use_case in (list_signing_keys, rotate_signing_key):
        with pytest.raises(Forbidden):
            use_case(world.runtime, nobody)
