import re

import pytest

from core.actors import Actor
from core.errors import PlaceRefused
from models import AccountState, AuditRow, DeliveryState, TokenState, VirtualAccount
from services.accounts.accounts import put_account
from services.engine import tokens
from services.operation.bootstrap import ensure_tenant
from services.verify.use_counting import UseCounter
from tests.console.visits import Visitor, Visitors
from tests.support.world import HOURLY, LIMITS, World, stored

HOSTILE = "<img src=x onerror=alert(1)>"


def account_of(world: World, name: str = "ci-bot") -> VirtualAccount:
    (found,) = world.rows(VirtualAccount, VirtualAccount.name == name)
    return found


def actions(world: World) -> list[str]:
    return [row.action for row in world.rows(AuditRow)]


def test_the_token_is_shown_on_purpose_and_written_down(world: World, ann: Visitor):
    account, token = world.create()
    page = ann.get(f"/virtual-accounts/{account.id}")

    answer = ann.post(f"/virtual-accounts/{account.id}/token")

    assert token.reveal() not in page.text
    assert token.reveal() in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "token.read" in actions(world)
    assert ann.get(f"/virtual-accounts/{account.id}/token").status_code == 404


def test_it_is_rotated_with_its_own_grace_another_or_none(world: World, ann: Visitor):
    account, _ = world.create(auto_rotate=HOURLY)
    path = f"/virtual-accounts/{account.id}/rotate"
    asked = ann.get(path)

    own = ann.post(path, {"how": "own"})
    other = ann.post(path, {"how": "other", "grace": "3h"})
    none = ann.post(path, {"how": "at-once"})

    assert "Generation 2 becomes the current token" in asked.text
    assert {own.headers["location"], other.headers["location"], none.headers["location"]} == {
        f"/virtual-accounts/{account.id}?done=rotated"
    }
    first, second, third, fourth = world.tokens(account)
    assert (first.grace_until - world.clock.now()).total_seconds() == 600
    assert (second.grace_until - world.clock.now()).total_seconds() == 3 * 3600
    assert third.state is TokenState.REVOKED
    assert fourth.state is TokenState.CURRENT


def test_a_grace_that_is_none_is_said_beside_its_field(world: World, ann: Visitor):
    account, _ = world.create()

    answer = ann.post(f"/virtual-accounts/{account.id}/rotate", {"how": "other", "grace": "soon"})

    assert answer.status_code == 422
    assert "give a duration like 90s" in answer.text
    assert len(world.tokens(account)) == 1


def test_one_generation_is_revoked_and_all_of_them_are(world: World, ann: Visitor):
    account, token = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    first, second = world.tokens(account)
    path = f"/virtual-accounts/{account.id}"

    assert "Revoke generation 1" in ann.get(f"{path}/tokens/{first.id}/revoke").text
    ann.post(f"{path}/tokens/{first.id}/revoke")
    assert not world.works(token)
    assert world.current(account).id == second.id

    assert "1 token of this account" in ann.get(f"{path}/revoke-all").text
    ann.post(f"{path}/revoke-all")
    assert account_of(world).state is AccountState.SUSPENDED
    assert "Suspended" in ann.get(path).text


def test_before_it_is_deleted_it_is_said_what_stops(world: World, ann: Visitor):
    fqn, _ = world.store()
    account, token = world.create(secret_store_config=stored(fqn))
    world.drain()
    path = f"/virtual-accounts/{account.id}"

    asked = re.sub(r"\s+", " ", ann.get(f"{path}/delete").text)
    answer = ann.post(f"{path}/delete", {"keep_copies": "yes"})

    assert "1 token will work no more" in asked
    assert "1 copy will be removed, unless you keep them: <code>ci/token</code>" in asked
    assert answer.headers["location"] == "/virtual-accounts?done=deleted"
    assert not world.works(token)
    assert account_of(world).state is AccountState.DELETED
    assert ann.get(path).status_code == 404


def test_it_is_paused_and_resumed(world: World, ann: Visitor):
    account, _ = world.create(auto_rotate=HOURLY)
    path = f"/virtual-accounts/{account.id}"

    ann.post(f"{path}/pause")
    assert world.fresh(account).due_at is None
    assert "Paused: nothing rotates" in ann.get(f"{path}?done=paused").text

    ann.post(f"{path}/resume")
    assert world.fresh(account).due_at is not None


def test_stores_are_synced_checked_and_rolled_forward(world: World, ann: Visitor):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("permission denied")
    account, token = world.create(secret_store_config=stored(fqn))
    world.drain()
    (failed,) = world.deliveries()
    path = f"/virtual-accounts/{account.id}"
    shown = ann.get(path).text
    assert "permission denied" in shown
    assert f"/deliveries/{failed.id}/roll-forward" in shown
    store.at_path.clear()

    answer = ann.post(f"{path}/deliveries/{failed.id}/roll-forward")
    world.drain()

    assert answer.headers["location"] == f"{path}?done=rolled-forward"
    assert store.held["ci/token"][1] == token.reveal()
    assert ann.post(f"{path}/sync").headers["location"] == f"{path}?done=synced"
    assert DeliveryState.FAILED not in {row.state for row in world.deliveries()[1:]}


def test_the_newest_token_is_acknowledged(world: World, ann: Visitor):
    account, _ = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    ann.post(f"/virtual-accounts/{account.id}/acknowledge")

    assert world.tokens(account)[0].acknowledged_by == "ann@example.com"


def test_what_the_state_does_not_allow_is_a_page_that_says_so(world: World, ann: Visitor):
    account, _ = world.create()

    answer = ann.post(f"/virtual-accounts/{account.id}/sync")

    assert answer.status_code == 409
    assert "no secret store configured" in answer.text
    assert "look at how things are" in answer.text


def test_a_member_sees_no_account_and_does_nothing_to_one(world: World, visitors: Visitors):
    account, token = world.create()
    bob = visitors.by_http(visitors.member())
    path = f"/virtual-accounts/{account.id}"

    assert "ci-bot" not in bob.get("/virtual-accounts").text
    assert "New account" not in bob.get("/virtual-accounts").text
    assert bob.get(path).status_code == 403
    for action in ("token", "rotate", "revoke-all", "delete", "pause", "sync", "edit"):
        answer = bob.post(f"{path}/{action}", {"name": "ci-bot", "how": "at-once"})
        assert answer.status_code in {403, 422}, action
        assert token.reveal() not in answer.text
    assert world.works(token)


def test_another_tenants_account_is_not_there(world: World, ann: Visitor):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    theirs = put_account(world.runtime, Actor.operator(other, "them"), {"name": "their-bot"})
    path = f"/virtual-accounts/{theirs.view.account.id}"

    assert "their-bot" not in ann.get("/virtual-accounts").text
    for looked in ("", "/edit", "/rotate", "/revoke-all", "/delete"):
        assert ann.get(path + looked).status_code == 404, looked
    for action in ("token", "rotate", "revoke-all", "delete", "pause", "sync", "edit"):
        assert ann.post(f"{path}/{action}", {"name": "their-bot"}).status_code == 404, action
    assert world.works(theirs.token)


def test_what_people_name_is_text_wherever_it_is_shown(world: World, ann: Visitor):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused(HOSTILE)
    account, _ = world.create(
        tags={HOSTILE: HOSTILE}, secret_store_config=stored(fqn), auto_rotate=HOURLY
    )
    world.drain()

    uses = UseCounter(world.runtime)
    uses.count(world.current(account).id, HOSTILE, HOSTILE, "verify")
    uses.flush()
    path = f"/virtual-accounts/{account.id}"

    for looked in ("", "/edit", "/edit?mode=yaml", "/rotate", "/delete", "/revoke-all"):
        text = ann.get(path + looked).text
        assert "<img" not in text, looked
    assert "&lt;img src=x onerror=alert(1)&gt;" in ann.get(path).text
    assert "<img" not in ann.get("/").text
    assert "<img" not in ann.get("/virtual-accounts", params={"q": HOSTILE, "team": HOSTILE}).text


def test_a_list_is_searched_narrowed_sorted_and_paged(world: World, ann: Visitor):
    for number in range(60):
        world.create(f"bot-{number:02}")
    world.create("special", auto_rotate=HOURLY)

    first = ann.get("/virtual-accounts")
    second = ann.get("/virtual-accounts?offset=50")
    searched = ann.get("/virtual-accounts?q=speci")
    narrowed = ann.get("/virtual-accounts?status=scheduled")

    assert "1 to 50 of 61 accounts" in first.text
    assert "bot-55" not in first.text
    assert "51 to 61 of 61 accounts" in second.text
    assert "bot-55" in second.text
    for one in (searched, narrowed):
        assert "special" in one.text
        assert "bot-0" not in one.text
    assert "No account is like that" in ann.get("/virtual-accounts?q=nothing").text


def test_an_account_is_made_in_the_form(world: World, ann: Visitor):
    fqn = world.file_store()

    answer = ann.post(
        "/virtual-accounts/new",
        {
            "name": "new-bot",
            "tags": "env: test",
            "rhythm": "interval",
            "interval": "12h",
            "grace": "1h",
            "stores.0.integration": fqn,
            "stores.0.path": "new/token",
            "stores.0.required": "yes",
            "permissions.0.role": "account|account-viewer",
            "permissions.0.resource": "acme",
        },
    )

    made = account_of(world, "new-bot")
    assert answer.headers["location"] == f"/virtual-accounts/{made.id}?done=created"
    assert made.manifest["auto_rotate"] == {"interval": "12h", "grace": "1h"}
    assert made.manifest["tags"] == {"env": "test"}
    assert [place.path for place in world.places()] == ["new/token"]


def test_a_new_account_takes_no_others_name(world: World, ann: Visitor):
    account, _ = world.create(tags={"kept": "yes"})

    answer = ann.post("/virtual-accounts/new", {"name": "ci-bot"})

    assert answer.status_code == 422
    assert "exists already" in answer.text
    assert world.fresh(account).manifest["tags"] == {"kept": "yes"}


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ({"name": "X"}, "field-name", "a name has 3 to 36 characters"),
        ({"name": "bot-1", "tags": "env"}, "field-tags", "give a name, a colon and a value"),
        (
            {"name": "bot-1", "rhythm": "interval", "interval": "often"},
            "field-interval",
            "give a duration like 90s",
        ),
        (
            {"name": "bot-1", "stores.0.integration": "nowhere", "stores.0.path": "x"},
            "field-stores-0-integration",
            "",
        ),
        (
            {"name": "bot-1", "permissions.0.role": "account|x", "permissions.0.resource": "acme"},
            "field-permissions-0-role",
            "there is no role of this name",
        ),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(ann: Visitor, sent, field: str, said: str):
    answer = ann.post("/virtual-accounts/new", sent)

    assert answer.status_code == 422
    found = re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)
    assert found, re.findall(r'<p class="error"[^>]*>[^<]+', answer.text)
    assert said in answer.text


def test_it_is_changed_as_yaml_and_what_somebody_else_did_meanwhile_is_not_undone(
    world: World, ann: Visitor
):
    account, _ = world.create(tags={"a": "1"})
    path = f"/virtual-accounts/{account.id}/edit"
    etag = re.search(r'name="etag" value="([^"]*)"', ann.get(path).text)[1].replace("&#34;", '"')
    text = "name: ci-bot\ntags: {a: '2'}\n"

    saved = ann.post(path, {"mode": "yaml", "text": text, "etag": etag})
    stale = ann.post(path, {"mode": "yaml", "text": text.replace("2", "3"), "etag": etag})

    assert saved.headers["location"].endswith("?done=saved")
    assert stale.status_code == 412
    assert "nothing of yours was saved" in stale.text
    assert world.fresh(account).manifest["tags"] == {"a": "2"}


def test_an_account_keeps_its_name(world: World, ann: Visitor):
    account, _ = world.create()

    answer = ann.post(
        f"/virtual-accounts/{account.id}/edit", {"mode": "yaml", "text": "name: other-bot"}
    )

    assert answer.status_code == 422
    assert "an account keeps its name" in answer.text


def test_another_row_is_added_without_any_script(world: World, ann: Visitor):
    fqn = world.file_store()
    sent = {"name": "bot-1", "stores.0.integration": fqn, "stores.0.path": "a", "add": "stores"}

    answer = ann.post("/virtual-accounts/new", sent)

    assert answer.status_code == 200
    assert 'name="stores.1.path"' in answer.text
    assert 'name="stores.2.path"' not in answer.text
    assert world.rows(VirtualAccount) == []


def test_what_is_being_written_is_checked_and_nothing_of_it_kept(world: World, ann: Visitor):
    good = ann.post("/virtual-accounts/check", {"name": "bot-1", "rhythm": "never"})
    bad = ann.post("/virtual-accounts/check", {"name": "bot-1", "rhythm": "interval"})

    assert "It can be saved." in good.text
    assert "name: bot-1" in good.text
    assert 'data-field="interval"' in bad.text
    assert world.rows(VirtualAccount) == []
