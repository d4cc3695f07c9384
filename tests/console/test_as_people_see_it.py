from playwright.sync_api import Browser, Page, expect

from tests.console.demo import fill
from tests.console.seen import SEEN, VIEWS
from tests.console.visits import Visitors
from tests.support.browser import flaws, overflow, visiting
from tests.support.world import World


def test_every_page_is_accessible_and_fits_its_window_in_light_in_dark_and_on_a_phone(
    world: World, browser: Browser, server: str, visitors: Visitors
):
    names, who = fill(world), visitors.admin()
    found = {}

    for view, options in VIEWS.items():
        with visiting(browser, server, **options) as context:
            page = context.new_page()
            for one in sorted(SEEN, key=lambda one: one.is_signed_in):
                if one.is_signed_in and not context.cookies():
                    visitors.into(page, who)
                one.visit(page, names)
                # In the dark the same page has other colours, and nothing else.
                seen = flaws(page, colours_only=view == "dark")
                found[view, one.name] = (seen, overflow(page))

    assert {name: seen for name, seen in found.items() if seen != ([], 0)} == {}


def test_signing_in_and_out_by_keyboard_alone(page: Page, visitors: Visitors):
    ann = visitors.admin()
    page.goto("/device?code=BCDF-GHJK")

    expect(page.get_by_label("Personal access token")).to_be_focused()
    page.keyboard.type(ann.token)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code")).to_have_value("BCDF-GHJK")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Code")).to_be_focused()

    page.get_by_role("button", name="Sign out", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_token_is_said_beside_the_field(page: Page):
    page.goto("/sign-in")
    page.get_by_label("Personal access token").fill("nonsense")
    page.get_by_role("button", name="Sign in").click()

    field = page.get_by_label("Personal access token")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(
        "This is not a token of Keyturn: paste the whole of it. "
        "It starts with tfy_pat_. The session ends with the token."
    )


def test_colours_are_chosen_and_stay_without_any_script(
    browser: Browser, server: str, visitors: Visitors
):
    with visiting(browser, server, java_script_enabled=False, color_scheme="light") as context:
        page = visitors.into(context.new_page(), visitors.admin())
        page.goto("/")
        light = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")

        page.get_by_role("button", name="Dark").click()

        dark = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        assert (light, dark) == ("rgb(246, 247, 249)", "rgb(15, 17, 21)")
        expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


def test_the_menu_of_a_phone_opens_and_closes_without_any_script(
    browser: Browser, server: str, visitors: Visitors
):
    with visiting(browser, server, java_script_enabled=False, **VIEWS["phone"]) as context:
        page = visitors.into(context.new_page(), visitors.admin())
        page.goto("/")
        sections = page.get_by_role("navigation", name="Sections")
        expect(sections).to_be_hidden()

        page.get_by_role("link", name="Menu").click()
        expect(sections.get_by_role("link", name="Overview")).to_be_visible()

        page.get_by_role("link", name="Close the menu").click()
        expect(sections).to_be_hidden()


def test_no_page_looks_for_anything_elsewhere(
    world: World, browser: Browser, server: str, visitors: Visitors
):
    names, asked = fill(world), []

    with visiting(browser, server) as context:
        page = visitors.into(context.new_page(), visitors.admin())
        page.on("request", lambda request: asked.append(request.url))
        for one in SEEN:
            if one.is_signed_in:
                one.visit(page, names)

    assert [url for url in asked if not url.startswith((server, "data:"))] == []
