"""Integrations at the console: added, looked at, changed, tried, paused, compared, deleted."""

import html
import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from core.actors import Actor
from core.errors import DestinationRefused, Transient
from models import AuditRow, Integration, Lane, Place
from services.delivery.drift import check_due
from services.integrations import integrations
from services.operation.bootstrap import ensure_tenant
from tests.console.as_sent import as_sent
from tests.console.asked import asked
from tests.console.visits import Visitor, Visitors
from tests.support.world import LIMITS, World, stored, told_by

VAULT = {
    "account": "hashi",
    "name": "vault-eu",
    "vault_url": "http://127.0.0.1:1",
    "kv_mount_path": "secret",
    "auth_data": "approle",
    "auth_data.approle.role_id": "keyturn",
    "auth_data.approle.secret_id": "hunter2-secret",
}
NEW = "/integrations/new/secret-store/hashicorp/vault"


def path_of(world: World, fqn: str) -> str:
    (row,) = world.rows(Integration, Integration.fqn == fqn, Integration.deleted_at.is_(None))
    return f"/integrations/{row.id}"


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def test_a_store_is_added_in_a_form_made_from_its_schema(world: World, admin: Page):
    admin.goto("/integrations")
    admin.get_by_role("link", name="Add an integration").first.click()
    admin.get_by_role("link", name="HashiCorp Vault").click()
    admin.get_by_label("Name", exact=True).fill("vault-eu")
    admin.get_by_label("Provider account").fill("hashi")
    admin.get_by_label("Vault URL").fill("ftp://vault")
    admin.get_by_label("KV mount path").fill("secret")
    expect(admin.get_by_label("Role ID")).to_be_hidden()
    admin.get_by_role("radio", name="Token").focus()
    admin.keyboard.press("ArrowDown")
    expect(admin.get_by_role("radio", name="AppRole")).to_be_checked()
    admin.get_by_label("Role ID").fill("keyturn")
    admin.get_by_label("Secret ID").fill("hunter2-secret")
    admin.get_by_role("button", name="Add and check").click()

    wrong = admin.get_by_label("Vault URL")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_be_focused()
    expect(admin.get_by_label("Role ID")).to_have_value("keyturn")
    wrong.fill("http://127.0.0.1:1")
    admin.get_by_role("button", name="Add and check").click()

    expect(admin.get_by_role("heading", name="vault-eu")).to_be_visible()
    expect(admin.get_by_text("check failed")).to_be_visible()
    (row,) = world.rows(Integration)
    assert world.runtime.opened.config(row)["auth_data"] == {
        "type": "approle",
        "role_id": "keyturn",
        "secret_id": "hunter2-secret",
    }


def test_credentials_come_back_as_asterisks_and_stay_if_left(world: World, ann: Visitor):
    ann.post(NEW, VAULT)
    path = path_of(world, "acme:hashicorp:hashi:secret-store:vault-eu")
    page = ann.get(f"{path}/edit").text
    sent = as_sent(page, f"{path}/edit")

    assert "hunter2-secret" not in page
    assert sent["auth_data.approle.secret_id"] == ["**********"]
    assert re.search(r'name="auth_data.approle.secret_id" type="password"', page)
    answer = ann.post(f"{path}/edit", {**sent, "kv_mount_path": "other"})

    assert answer.headers["location"] == f"{path}?done=integration-saved"
    (row,) = world.rows(Integration)
    config = world.runtime.opened.config(row)
    assert config["kv_mount_path"] == "other"
    assert config["auth_data"]["secret_id"] == "hunter2-secret"


def test_a_credential_is_not_sent_to_another_address_unseen(world: World, ann: Visitor):
    ann.post(NEW, VAULT)
    path = path_of(world, "acme:hashicorp:hashi:secret-store:vault-eu")
    sent = as_sent(ann.get(f"{path}/edit").text, f"{path}/edit")

    answer = ann.post(f"{path}/edit", {**sent, "vault_url": "https://evil.example.com"})

    assert answer.status_code == 422
    assert "give the credential itself again" in answer.text
    assert 'value="https://evil.example.com"' in answer.text


def test_saving_an_untouched_form_changes_nothing(world: World, ann: Visitor):
    ann.post(NEW, {**VAULT, "rate": "2.5", "authorized_subjects": "team:builders"})
    path = path_of(world, "acme:hashicorp:hashi:secret-store:vault-eu")
    (before,) = world.rows(Integration)

    answer = ann.post(f"{path}/edit", as_sent(ann.get(f"{path}/edit").text, f"{path}/edit"))

    assert answer.headers["location"] == f"{path}?done=integration-saved"
    (after,) = world.rows(Integration)
    assert (after.version, after.rate, after.authorized_subjects) == (
        before.version,
        2.5,
        ["team:builders"],
    )


def test_the_others_of_an_account_keep_their_credentials(world: World, ann: Visitor):
    ann.post(NEW, VAULT)
    ann.post(NEW, {**VAULT, "name": "vault-us", "auth_data.approle.secret_id": "another"})
    us = path_of(world, "acme:hashicorp:hashi:secret-store:vault-us")

    assert "has an integration of this name already" in html.unescape(ann.post(NEW, VAULT).text)
    ann.post(f"{us}/delete")

    (eu,) = world.rows(Integration, Integration.deleted_at.is_(None))
    assert world.runtime.opened.config(eu)["auth_data"]["secret_id"] == "hunter2-secret"
    assert ann.get(us).status_code == 404
    ann.post(f"{path_of(world, eu.fqn)}/delete")
    assert "No integrations yet" in ann.get("/integrations").text


def test_what_somebody_else_changed_meanwhile_is_not_undone(world: World, ann: Visitor):
    ann.post(NEW, VAULT)
    path = path_of(world, "acme:hashicorp:hashi:secret-store:vault-eu")
    sent = as_sent(ann.get(f"{path}/edit").text, f"{path}/edit")
    ann.post(f"{path}/edit", {**sent, "root_path": "theirs"})

    assert ann.post(f"{path}/edit", {**sent, "root_path": "mine"}).status_code == 412
    (row,) = world.rows(Integration)
    assert world.runtime.opened.config(row)["root_path"] == "theirs"


def test_what_an_account_has_for_all_of_its_integrations_may_be_left_out(
    world: World, ann: Visitor
):
    integrations.apply_provider_account(
        world.runtime,
        world.admin,
        {
            "type": "provider-account/hashicorp",
            "name": "hashi",
            "auth_data": {"type": "token", "token": "of-the-account"},
            "integrations": [
                {
                    "type": "integration/secret-store/hashicorp/vault",
                    "name": "first",
                    "vault_url": "http://127.0.0.1:1",
                    "kv_mount_path": "secret",
                }
            ],
        },
    )
    assert "As the account says" in ann.get(NEW).text
    sent = {name: value for name, value in VAULT.items() if not name.startswith("auth_data")}

    answer = ann.post(NEW, sent)

    assert answer.headers["location"].endswith("?done=integration-added")
    (row,) = world.rows(Integration, Integration.name == "vault-eu")
    assert world.runtime.opened.config(row)["auth_data"]["token"] == "of-the-account"


def test_a_lane_is_paused_after_reading_what_waits_and_resumed(world: World, admin: Page):
    fqn, store = world.store("vault")
    world.create(secret_store_config=stored(fqn))
    store.fail(DestinationRefused("permission denied"), times=3)
    world.drain()
    for _ in range(2):
        world.clock.pass_(minutes=10)
        world.drain()
    admin.goto(path_of(world, fqn))
    expect(admin.get_by_text("permission denied").first).to_be_visible()

    admin.get_by_role("button", name="Resume").press("Enter")
    expect(admin.get_by_text("It sends again.")).to_be_visible()
    admin.get_by_role("link", name="Pause").press("Enter")
    dialog = admin.get_by_role("dialog")
    expect(dialog).to_contain_text("1 delivery waits now")
    expect(dialog).to_contain_text("New tokens of 1 virtual account do not get there")
    dialog.get_by_role("button", name="Pause").click()

    expect(admin.get_by_text("paused by ann@example.com")).to_be_visible()
    assert world.lane(fqn).state.value == "paused"


def test_the_page_tells_the_limit_the_breaker_and_the_last_error(world: World, ann: Visitor):
    fqn, store = world.store("vault", per_second=2)
    for number in range(6):
        world.create(f"bot-{number}", secret_store_config=stored(fqn, f"at/{number}"))
    store.always = Transient("connection refused")
    for _ in range(12):
        world.clock.pass_(seconds=3)
        world.drain()

    page = text_of(ann.get(path_of(world, fqn)).text)

    assert "does not answer" in page
    assert "Last error: connection refused" in page
    assert "2.0 calls/s" in page
    assert re.search(r"Waiting 6 ", page)
    assert re.search(r"Failures in a row [5-9]\d*, tried again in ", page)
    assert "does not answer" in ann.get("/integrations").text


def test_a_page_keeps_itself_up_to_date(world: World, admin: Page):
    fqn, store = world.store("vault")
    admin.goto(path_of(world, fqn))
    store.always = Transient("connection refused")
    world.create(secret_store_config=stored(fqn))

    admin.evaluate("document.body.dispatchEvent(new Event('live'))")

    expect(admin.get_by_text("1 virtual account")).to_be_visible()


def test_a_sample_goes_through_a_channel_and_the_answer_is_shown(world: World, admin: Page):
    fqn, chat = world.channel()
    admin.goto(path_of(world, fqn))
    admin.get_by_label("To optional").fill("#ops")
    admin.get_by_role("button", name="Send a sample").click()
    expect(admin.get_by_text("The sample was sent to #ops")).to_be_visible()
    assert [address for _, address in chat.notices] == ["#ops"]

    chat.fail(DestinationRefused("channel_not_found"))
    admin.get_by_role("button", name="Send a sample").click()
    expect(admin.get_by_role("alert")).to_contain_text("channel_not_found")


def test_checking_now_really_connects_and_is_audited(world: World, ann: Visitor):
    path = path_of(world, world.file_store())

    answer = ann.post(f"{path}/check")

    assert answer.headers["location"] == f"{path}?done=integration-checked"
    assert "integration.checked" in {row.action for row in world.rows(AuditRow)}
    assert "answers" in ann.get(path).text


def test_every_place_of_a_store_is_compared_when_asked(world: World, ann: Visitor):
    fqn, store = world.store("vault")
    for number in range(3):
        world.create(f"bot-{number}", secret_store_config=stored(fqn, f"at/{number}"))
    world.drain()
    del store.held["at/1"]

    answer = ann.post(f"{path_of(world, fqn)}/drift")
    assert check_due(world.runtime) == 3
    world.drain()

    assert answer.headers["location"].endswith("?done=drift-asked")
    assert [event.facts["path"] for event in world.told("sync.drifted")] == ["at/1"]
    assert len(store.held) == 3  # written again
    assert check_due(world.runtime) == 0


def test_comparing_is_refused_where_it_is_turned_off(world: World, ann: Visitor):
    path = path_of(world, world.file_store())
    world.runtime.settings = world.runtime.settings.model_copy(update={"drift_check": timedelta(0)})

    assert "not compared by themselves" in ann.get(path).text
    answer = ann.post(f"{path}/drift")

    assert answer.status_code == 409
    assert "KEYTURN_DRIFT_CHECK" in answer.text


def test_what_a_store_holds_instead_is_shown(world: World, ann: Visitor):
    fqn, _ = world.store("vault")
    world.create(secret_store_config=stored(fqn, "ci/token"))
    with world.runtime.database.writing() as session:
        session.execute(update(Place).values(drift="somebody else's secret"))

    page = text_of(ann.get(path_of(world, fqn)).text)

    assert "ci-bot ci/token somebody else's secret drifted" in page


def test_an_integration_in_use_says_by_whom_and_stays(world: World, ann: Visitor):
    fqn = world.file_store()
    chat, _ = world.channel()
    account, _ = world.create(secret_store_config=stored(fqn), notification_target=told_by(chat))

    for path in (path_of(world, fqn), path_of(world, chat)):
        asks = ann.get(f"{path}/delete").text
        assert "cannot be deleted yet" in asks
        assert f"/virtual-accounts/{account.id}" in asks
        assert f'action="{path}/delete"' not in asks
        assert ann.post(f"{path}/delete").status_code == 409


def test_whoever_may_use_one_sees_it_and_may_not_change_it(world: World, visitors: Visitors):
    fqn = world.integration(
        "custom",
        "files",
        "secret-store/custom/file",
        authorized_subjects=["user:bob@example.com"],
    )
    path, lane = path_of(world, fqn), world.lane(fqn)
    hidden = path_of(world, world.file_store("others"))
    bob = visitors.by_http(visitors.member())

    assert "files" in bob.get("/integrations").text
    assert "others" not in bob.get("/integrations").text
    page = bob.get(path).text
    assert "Check now" in page
    assert f"{path}/edit" not in page
    assert f"{path}/delete" not in page
    assert bob.get(hidden).status_code == 403
    for what in ("/edit", "/delete", f"/lanes/{lane.id}/pause", f"/lanes/{lane.id}/resume"):
        assert bob.post(f"{path}{what}").status_code == 403, what
    for what in ("/edit", f"/lanes/{lane.id}/pause"):
        assert bob.get(f"{path}{what}").status_code == 403, what
    assert bob.get("/integrations/new").status_code == 403
    assert bob.post(NEW, VAULT).status_code == 403


def test_integrations_of_another_tenant_are_not_there(world: World, ann: Visitor):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    theirs = integrations.apply_provider_account(
        world.runtime,
        Actor.operator(other, "them"),
        {
            "type": "provider-account/custom",
            "name": "files-account",
            "integrations": [
                {"type": "integration/secret-store/custom/file", "name": "their-files"}
            ],
        },
    ).integrations[0]
    (lane,) = world.rows(Lane)
    own = path_of(world, world.file_store())

    for what in ("", "/edit", "/delete", f"/lanes/{lane.id}/pause"):
        assert ann.get(f"/integrations/{theirs.id}{what}").status_code == 404, what
    for what in ("/check", "/test", "/drift", "/edit", "/delete", f"/lanes/{lane.id}/resume"):
        assert ann.post(f"/integrations/{theirs.id}{what}").status_code == 404, what
    assert ann.get(f"{own}/lanes/{lane.id}/pause").status_code == 404
    assert "their-files" not in ann.get("/integrations").text


@pytest.mark.parametrize(
    "path",
    [
        "/integrations/new/secret-store/nonsense",
        "/integrations/new/nonsense/custom/file",
        "/integrations/new/secret-store/custom/secret-groups",
    ],
)
def test_what_nobody_can_add_has_no_form(ann: Visitor, path: str):
    assert ann.get(path).status_code == 404
    assert ann.post(path, VAULT).status_code == 404


def test_a_page_takes_as_many_questions_however_much_there_is(world: World, ann: Visitor):
    fqn = world.file_store()
    path = path_of(world, fqn)
    world.create("bot-0", secret_store_config=stored(fqn, "at/0"))

    def count(page: str) -> int:
        with asked(world) as said:
            assert ann.get(page).status_code == 200
        return len(said)

    few = count("/integrations"), count(path)
    for number in range(1, 12):
        world.create(f"bot-{number}", secret_store_config=stored(fqn, f"at/{number}"))
        world.store(f"more-{number}")

    assert (count("/integrations"), count(path)) == few
