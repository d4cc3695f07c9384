"""Identity providers at the console: added, changed, deleted; and JWTs that are tried."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from core.actors import Actor
from models import AuditRow, IdentityProvider
from services.identity.identity_providers import client_secret
from services.operation.bootstrap import ensure_tenant
from tests.console.as_sent import as_sent
from tests.console.asked import asked
from tests.console.visits import Visitor, Visitors
from tests.support.identity import SUBJECT, Identity, trust_unseen, trusted
from tests.support.issuer import AUDIENCE
from tests.support.world import LIMITS, World

PATH = "/settings/identity-providers"


@pytest.fixture
def identity(world: World) -> Iterator[Identity]:
    """The tenant trusts an issuer, as `github`."""
    with trusted(world) as made:
        yield made


def path_of(world: World, name: str = "github") -> str:
    (row,) = world.rows(IdentityProvider, IdentityProvider.name == name)
    return f"{PATH}/{row.id}"


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_provider_is_added_and_a_wrong_line_is_named(world: World, admin: Page):
    admin.goto(PATH)
    admin.get_by_role("link", name="Add one").click()
    admin.get_by_label("Name", exact=True).fill("github")
    admin.get_by_label("Issuer").fill("https://token.example.com")
    admin.get_by_label("Audiences").fill("one\none")
    admin.get_by_label("Claim").fill("repository_id")
    admin.get_by_label("Value").fill("4711")
    admin.get_by_text("More settings").click()
    admin.get_by_label("Address of its keys").fill("http://127.0.0.1:1/jwks")
    admin.get_by_role("button", name="Add", exact=True).click()

    wrong = admin.get_by_label("Audiences")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_accessible_description(
        re.compile("one: this is given twice", re.IGNORECASE)
    )
    wrong.fill("one")
    admin.get_by_role("button", name="Add", exact=True).click()

    expect(admin.get_by_text("its keys were not to be had")).to_be_visible()
    (row,) = world.rows(IdentityProvider)
    assert row.manifest["conditions"] == [{"claim": "repository_id", "equals": "4711"}]


def test_a_jwt_that_is_pasted_is_checked_and_not_kept(admin: Page, identity: Identity):
    account = identity.map()
    good, bad = identity.issuer.issue(), identity.issuer.issue(aud="somebody-else")
    admin.goto(PATH)
    admin.get_by_role("link", name="Try a JWT").click()

    admin.get_by_label("JWT").fill(good)
    admin.get_by_role("button", name="Check it").press("Enter")
    expect(admin.get_by_role("heading", name="It is good")).to_be_visible()
    link = admin.get_by_role("link", name="ci-bot")
    expect(link).to_have_attribute("href", f"/virtual-accounts/{account.id}")
    expect(admin.get_by_label("JWT")).to_have_value("")
    assert good not in admin.content()

    admin.get_by_label("JWT").fill(bad)
    admin.get_by_role("button", name="Check it").click()
    expect(admin.get_by_role("heading", name="It is refused")).to_be_visible()
    expect(admin.get_by_text("wrong audience")).to_be_visible()


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "Paste a whole JWT"),
        ("nonsense", "Paste a whole JWT"),
        ("a.b.c" * 20_000, "A JWT has at most"),
    ],
)
def test_what_is_no_jwt_is_said_beside_the_field(ann: Visitor, token: str, said: str):
    answer = ann.post(f"{PATH}/explain", {"token": token})

    assert answer.status_code == 422
    assert f'id="field-token-error">{said}' in answer.text
    assert "a.b.ca.b.c" not in answer.text


def test_saving_an_untouched_form_changes_nothing(world: World, ann: Visitor, identity: Identity):
    identity.trust(
        users="email",
        conditions=[{"claim": "repository_id", "equals": 4711}],
        sign_in={"client_id": "keyturn", "client_secret": "hunter2"},
    )
    path = path_of(world)
    page = ann.get(f"{path}/edit").text
    sent = as_sent(page, f"{path}/edit")
    (before,) = world.rows(IdentityProvider)

    answer = ann.post(f"{path}/edit", sent)

    assert "hunter2" not in page
    assert sent["client_secret"] == ["**********"]
    assert answer.headers["location"] == f"{path}?done=saved"
    (after,) = world.rows(IdentityProvider)
    assert (after.manifest, after.updated_at) == (before.manifest, before.updated_at)
    assert client_secret(world.runtime, after) == "hunter2"


def test_what_somebody_else_changed_meanwhile_is_not_undone(
    world: World, ann: Visitor, identity: Identity
):
    path = path_of(world)
    sent = as_sent(ann.get(f"{path}/edit").text, f"{path}/edit")
    identity.trust(users="email")

    assert ann.post(f"{path}/edit", sent).status_code == 412
    assert world.rows(IdentityProvider)[0].manifest["users"] == "email"


def test_one_that_accounts_are_mapped_to_says_so_and_stays(
    world: World, ann: Visitor, identity: Identity
):
    account = identity.map()
    path = path_of(world)

    page, asks = text_of(ann.get(path).text), ann.get(f"{path}/delete").text
    assert f"ci-bot {SUBJECT}" in page
    assert AUDIENCE in page
    assert "github cannot be deleted yet" in asks
    assert f"/virtual-accounts/{account.id}" in asks
    assert ann.post(f"{path}/delete").status_code == 409

    world.put("ci-bot")
    assert "nobody" in ann.get(f"{path}/delete").text
    assert ann.post(f"{path}/delete").headers["location"] == f"{PATH}?done=provider-deleted"
    assert "identity-provider.deleted" in {row.action for row in world.rows(AuditRow)}


def test_a_name_or_an_audience_that_is_taken_is_said(
    world: World, ann: Visitor, identity: Identity
):
    sent = {"name": "github", "issuer": "https://x.example.com", "audiences": "mine"}
    assert "This name is taken already." in ann.post(f"{PATH}/new", sent).text

    taken = {"name": "other", "issuer": identity.issuer.url, "audiences": AUDIENCE}
    answer = ann.post(f"{PATH}/new", taken)

    assert answer.status_code == 409
    assert "another identity provider has this audience" in answer.text


def test_only_an_admin_changes_whose_jwts_are_taken(
    world: World, visitors: Visitors, identity: Identity
):
    bob, path = visitors.by_http(visitors.member()), path_of(world)

    assert f'href="{PATH}"' not in bob.get("/device").text
    for page in (PATH, f"{PATH}/new", f"{PATH}/explain", path, f"{path}/edit", f"{path}/delete"):
        assert bob.get(page).status_code == 403, page
    for page in (f"{PATH}/new", f"{PATH}/explain", f"{path}/edit", f"{path}/delete"):
        assert bob.post(page, {"name": "mine", "token": identity.issuer.issue()}).is_error, page


def test_providers_of_another_tenant_are_not_there(world: World, ann: Visitor):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    trust_unseen(world, "theirs", by=Actor.operator(other, "them"))
    path = path_of(world, "theirs")

    for page in (path, f"{path}/edit", f"{path}/delete"):
        assert ann.get(page).status_code == 404, page
    assert ann.post(f"{path}/delete").status_code == 404
    assert "theirs" not in ann.get(PATH).text


def test_a_page_takes_as_many_questions_however_many_there_are(world: World, ann: Visitor):
    trust_unseen(world)

    def counts() -> list[int]:
        found = []
        for page in (PATH, path_of(world)):
            with asked(world) as said:
                assert ann.get(page).status_code == 200
            found.append(len(said))
        return found

    few = counts()
    for number in range(8):
        trust_unseen(world, f"idp-{number}")

    assert counts() == few
