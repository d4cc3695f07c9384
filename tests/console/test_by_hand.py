"""The main tasks as a person does them, in a real browser."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from core.errors import PlaceRefused, Transient
from models import AccountState, PersonalAccessToken, VirtualAccount
from services.engine import tokens
from services.people.invitations import register
from tests.console.demo import fill
from tests.console.visits import Visitors
from tests.support.browser import flaws, visiting
from tests.support.world import HOURLY, World, stored

pytestmark = pytest.mark.usefixtures("console")


def account_of(world: World, name: str) -> VirtualAccount:
    (found,) = world.rows(VirtualAccount, VirtualAccount.name == name)
    return found


def test_an_account_is_made_with_errors_told_while_it_is_written(world: World, admin: Page):
    world.file_store()
    admin.goto("/virtual-accounts")
    admin.get_by_role("link", name="New account").first.click()

    admin.get_by_label("Name").fill("New Bot")
    admin.get_by_label("Rotation").select_option("Every so often")
    expect(admin.get_by_text("Not yet")).to_be_visible()
    expect(admin.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(admin.locator("#field-name-error")).to_contain_text("3 to 36 characters")

    admin.get_by_label("Name").fill("new-bot")
    admin.get_by_label("Interval").fill("12h")
    admin.get_by_role("textbox", name="Grace").fill("1h")
    admin.get_by_label("Store").select_option(index=1)
    admin.get_by_label("Path").fill("new/token")
    expect(admin.get_by_text("It can be saved.")).to_be_visible()
    expect(admin.locator("#check")).to_contain_text("secret_path: new/token")
    expect(admin.locator("#field-name-error")).to_be_hidden()
    admin.get_by_role("button", name="Create").click()

    expect(admin.get_by_role("heading", name="new-bot", exact=True)).to_be_visible()
    expect(admin.get_by_text("The account is there.")).to_be_visible()
    assert account_of(world, "new-bot").manifest["auto_rotate"] == {
        "interval": "12h",
        "grace": "1h",
    }


def test_the_token_is_shown_in_a_dialog_and_copied(world: World, admin: Page):
    account, token = world.create()
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.goto(f"/virtual-accounts/{account.id}")

    admin.get_by_role("button", name="Get token").click()
    dialog = admin.get_by_role("dialog")
    expect(dialog.get_by_text(token.reveal())).to_be_visible()
    assert flaws(admin) == []
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()

    assert admin.evaluate("() => navigator.clipboard.readText()") == token.reveal()
    admin.keyboard.press("Escape")
    expect(admin.locator("#dialog")).to_be_empty()
    assert token.reveal() not in admin.content()


def test_a_key_is_rotated_and_the_old_one_goes_on(world: World, admin: Page):
    account, old = world.create(auto_rotate=HOURLY)
    admin.goto(f"/virtual-accounts/{account.id}")

    admin.get_by_role("link", name="Rotate").click()
    dialog = admin.get_by_role("dialog")
    expect(dialog).to_contain_text("Generation 2 becomes the current token")
    dialog.get_by_label("for another time").check()
    dialog.get_by_label("As long as").fill("2h")
    dialog.get_by_role("button", name="Rotate").click()

    expect(admin.get_by_text("Rotated: a new token is the current one.")).to_be_visible()
    expect(admin.get_by_role("cell", name="in its grace")).to_be_visible()
    assert world.works(old)
    assert len(world.tokens(account)) == 2


def test_a_question_can_be_left_unanswered(world: World, admin: Page):
    account, token = world.create()
    admin.goto(f"/virtual-accounts/{account.id}")

    admin.get_by_text("More", exact=True).click()
    admin.get_by_role("link", name="Delete the account").click()
    dialog = admin.get_by_role("dialog")
    expect(dialog).to_contain_text("1 token will work no more")
    dialog.get_by_role("link", name="Cancel").click()

    expect(dialog).to_be_hidden()
    assert world.works(token)


def test_an_account_is_deleted_by_keyboard_alone(world: World, admin: Page):
    _, token = world.create()
    admin.goto("/virtual-accounts")

    admin.get_by_role("link", name="ci-bot").focus()
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("heading", name="ci-bot", exact=True)).to_be_visible()
    admin.get_by_text("More", exact=True).focus()
    admin.keyboard.press("Enter")
    delete = admin.get_by_role("link", name="Delete the account")
    for _ in range(8):
        admin.keyboard.press("Tab")
        if delete.evaluate("link => link === document.activeElement"):
            break
    admin.keyboard.press("Enter")
    answer = admin.get_by_role("dialog").get_by_role("button", name="Delete it")
    expect(answer).to_be_visible()
    for _ in range(4):
        if answer.evaluate("button => button === document.activeElement"):
            break
        admin.keyboard.press("Tab")
    admin.keyboard.press("Enter")

    expect(admin.get_by_text("The account is deleted.")).to_be_visible()
    assert not world.works(token)
    assert account_of(world, "ci-bot").state is AccountState.DELETED


def test_a_refusal_is_told_in_the_dialog(world: World, admin: Page):
    account, _ = world.create()
    tokens.revoke_all(world.runtime, world.admin, account.id)
    admin.goto(f"/virtual-accounts/{account.id}")

    admin.get_by_role("button", name="Get token").click()

    expect(admin.get_by_role("dialog")).to_contain_text("ci-bot has no valid token")


def test_a_list_narrows_while_somebody_types(world: World, admin: Page):
    for name in ("alpha-bot", "beta-bot", "gamma-bot"):
        world.create(name)
    admin.goto("/virtual-accounts")

    admin.get_by_label("Search by name").press_sequentially("beta")

    expect(admin.get_by_role("link", name="alpha-bot")).to_be_hidden()
    expect(admin.get_by_role("link", name="beta-bot")).to_be_visible()
    expect(admin).to_have_url(re.compile("q=beta"))
    expect(admin.get_by_label("Search by name")).to_be_focused()
    admin.reload()
    expect(admin.get_by_label("Search by name")).to_have_value("beta")


def test_the_timeline_tells_its_figures_to_pointer_and_keyboard(
    world: World, page: Page, visitors: Visitors
):
    names = fill(world)
    admin = visitors.into(page, visitors.admin())
    admin.goto(f"/virtual-accounts/{names['account']}")
    bar = admin.get_by_role("img", name=re.compile("^Generation 7, current"))

    bar.hover()
    expect(admin.get_by_role("tooltip")).to_contain_text("Generation 7, current")
    admin.mouse.move(0, 0)

    bar.focus()
    expect(admin.get_by_role("tooltip")).to_contain_text("Minted")
    admin.keyboard.press("ArrowDown")
    expect(admin.get_by_role("tooltip")).to_contain_text("Generation 6, in its grace")
    admin.keyboard.press("Escape")
    expect(admin.get_by_role("tooltip")).to_be_hidden()
    expect(admin.get_by_role("cell", name="in its grace")).to_be_visible()


def test_a_failed_delivery_is_rolled_forward(world: World, admin: Page):
    fqn, store = world.store()
    store.at_path["ci/token"] = PlaceRefused("permission denied")
    account, token = world.create(secret_store_config=stored(fqn))
    world.drain()
    store.at_path.clear()
    admin.goto(f"/virtual-accounts/{account.id}")
    expect(admin.get_by_text("permission denied").first).to_be_visible()

    admin.get_by_role("button", name="Roll forward").click()

    expect(admin.get_by_text("It is on its way again.")).to_be_visible()
    expect(admin.get_by_text("on its way", exact=True)).to_be_visible()
    world.drain()
    expect(admin.get_by_text("confirmed", exact=True)).to_be_visible()  # by itself
    assert store.held["ci/token"][1] == token.reveal()


def test_an_open_page_shows_what_happens_meanwhile(world: World, console, admin: Page):
    account, _ = world.create(auto_rotate=HOURLY)
    with console.live.listening():
        with admin.expect_response("**/live*"):
            admin.goto(f"/virtual-accounts/{account.id}")
        console.live.look()

        tokens.rotate_account(world.runtime, world.admin, account.id)

        expect(admin.get_by_role("cell", name="in its grace")).to_be_visible()


def test_the_overview_leads_to_what_is_wrong(world: World, admin: Page):
    fqn, store = world.store()
    store.always = Transient("connection refused")
    world.create("broken-bot", secret_store_config=stored(fqn))
    for _ in range(6):
        world.drain()
        world.clock.pass_(minutes=5)

    admin.goto("/")

    expect(admin.get_by_text("does not answer; it is asked again and again")).to_be_visible()
    expect(admin.get_by_text("connection refused")).to_be_visible()


def test_a_token_of_ones_own_is_made_copied_and_revoked(
    world: World, admin: Page, visitors: Visitors
):
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.goto("/personal-access-tokens")
    admin.get_by_role("link", name="New token").click()
    admin.get_by_label("Name").fill("my-laptop")
    admin.get_by_role("button", name="Create").click()

    expect(admin.get_by_text("It is shown this once")).to_be_visible()
    assert flaws(admin) == []
    admin.get_by_role("button", name="Copy").click()
    copied = admin.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith("tfy_pat_")
    admin.get_by_role("link", name="I have it").click()

    row = admin.get_by_role("row", name=re.compile("my-laptop"))
    row.get_by_role("link", name="Revoke").click()
    admin.get_by_role("dialog").get_by_role("button", name="Revoke it now").click()
    expect(admin.get_by_text("The token is revoked.")).to_be_visible()
    revoked = world.rows(PersonalAccessToken, PersonalAccessToken.name == "my-laptop")
    assert revoked[0].revoked_at is not None


def test_somebody_new_accepts_an_invitation(world: World, page: Page):
    made = register(
        world.runtime, world.admin, "new@example.com", with_link_to="http://127.0.0.1:8400/welcome"
    )
    link = urlsplit(made.invitation.link)
    page.goto(f"{link.path}?{link.query}")
    assert flaws(page) == []

    page.get_by_role("button", name="Accept and sign in").click()

    expect(page.get_by_text("You are signed in.")).to_be_visible()
    expect(page.get_by_text("new@example.com")).to_be_visible()


def test_everything_is_done_without_any_script_too(
    world: World, browser: Browser, server: str, visitors: Visitors
):
    with visiting(browser, server, java_script_enabled=False) as context:
        page = visitors.into(context.new_page(), visitors.admin())
        page.goto("/virtual-accounts/new")
        page.get_by_label("Name").fill("plain-bot")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("heading", name="plain-bot", exact=True)).to_be_visible()

        page.get_by_role("link", name="Rotate").click()
        page.get_by_label("not at all").check()
        page.get_by_role("button", name="Rotate").click()
        expect(page.get_by_role("cell", name="revoked")).to_be_visible()

        page.get_by_role("button", name="Get token").click()
        expect(page.get_by_text("tfy_vat_")).to_be_visible()
        page.get_by_role("link", name="Close").click()

        page.goto("/virtual-accounts")
        page.get_by_label("Search by name").fill("plain")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="plain-bot").click()
        page.get_by_text("More", exact=True).click()
        page.get_by_role("link", name="Delete the account").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_text("The account is deleted.")).to_be_visible()

    assert account_of(world, "plain-bot").state is AccountState.DELETED
