"""Signing in at a real identity provider: npm's oidc-provider, in a browser and by plain HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Page, expect

from console.app import Console
from console.single_sign_on import BACK
from models import LoginSession
from services.identity.identity_providers import put_identity_provider
from services.operation.bootstrap import ensure_tenant
from services.people import user_life
from tests.console.served import composed
from tests.console.visits import COOKIE
from tests.support.browser import flaws
from tests.support.oidc_provider import AUDIENCE, OidcProvider, oidc_provider
from tests.support.persons import person
from tests.support.serving import Stage
from tests.support.world import LIMITS, World, new_world

ANN = "ann@example.com"


@pytest.fixture(scope="module")
def provider(stage: tuple[Stage, str]) -> Iterator[OidcProvider]:
    """It sends people back to the console."""
    with oidc_provider(f"{stage[1]}{BACK}") as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, stage: tuple[Stage, str]) -> Iterator[World]:
    """At this moment, since the provider has a clock of its own."""
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with new_world(url, tmp_path / "files", public_url=stage[1]) as made:
        made.clock.pass_(seconds=(datetime.now(UTC) - made.clock.now()).total_seconds())
        person(made, ANN)
        yield made


@pytest.fixture
def console(world: World, stage: tuple[Stage, str]) -> Iterator[Console]:
    app, console = composed(world.runtime)
    with stage[0].playing(app):
        yield console


@pytest.fixture
def trusted(world: World, provider: OidcProvider) -> UUID:
    """The tenant's people sign in by it."""
    return trust(world, provider)


def trust(world: World, provider: OidcProvider, **more: Any) -> UUID:
    given = {
        "name": "corporate",
        "issuer": provider.url,
        "audiences": [AUDIENCE],
        "sign_in": {"client_id": "keyturn-none"},
    }
    return put_identity_provider(world.runtime, world.admin, {**given, **more}).row.id


def there(anybody: httpx.Client, provider_id: UUID, next_: str = "/device") -> str:
    """Where the browser is sent, which keeps a cookie."""
    answer = anybody.get(f"/sign-in/at/{provider_id}", params={"next": next_})
    assert answer.status_code == 303
    return answer.headers["location"]


def back(anybody: httpx.Client, provider: OidcProvider, url: str, email: str = ANN) -> Any:
    """What the browser gets that comes back."""
    return anybody.get(BACK, params=provider.log_in(url, email))


def test_a_person_signs_in_by_their_organisations_provider_and_goes_on(
    page: Page, trusted: UUID, world: World
):
    page.goto("/device?code=BCDF-GHJK")
    assert flaws(page) == []
    page.get_by_role("link", name="Continue with corporate").click()
    page.locator("[name=login]").fill(ANN)
    page.locator("[name=password]").fill("x")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()

    expect(page.get_by_label("Code")).to_have_value("BCDF-GHJK")
    assert page.url.startswith(world.runtime.settings.public_url)
    (cookie,) = [one for one in page.context.cookies() if one["name"] == COOKIE]
    assert (cookie["httpOnly"], cookie["value"][:8]) == (True, "tfy_ses_")


def test_an_earlier_session_of_the_browser_ends(
    anybody: httpx.Client, trusted: UUID, provider: OidcProvider, world: World
):
    first = back(anybody, provider, there(anybody, trusted)).cookies[COOKIE]

    second = back(anybody, provider, there(anybody, trusted)).cookies[COOKIE]

    assert first != second
    assert len(world.rows(LoginSession)) == 1


def test_nobody_is_registered_by_signing_in(
    anybody: httpx.Client, trusted: UUID, provider: OidcProvider, world: World
):
    answer = back(anybody, provider, there(anybody, trusted), "eve@example.com")

    assert answer.status_code == 403
    assert "ask an admin for an invitation" in answer.text
    assert COOKIE not in answer.cookies
    assert world.rows(LoginSession) == []


def test_who_is_not_active_is_told_so(
    anybody: httpx.Client, trusted: UUID, provider: OidcProvider, world: World
):
    user_life.set_active(world.runtime, world.admin, ANN, active=False)

    answer = back(anybody, provider, there(anybody, trusted))

    assert "Your account here is not active" in answer.text


def test_a_providers_condition_is_not_explained_to_strangers(
    anybody: httpx.Client, provider: OidcProvider, world: World
):
    strict = trust(world, provider, conditions=[{"claim": "sub", "matches": "bob*"}])

    answer = back(anybody, provider, there(anybody, strict))

    assert "ask an admin to look at its conditions" in answer.text
    assert "bob" not in answer.text


def test_another_browsers_login_is_not_finished(
    anybody: httpx.Client, trusted: UUID, provider: OidcProvider, server: str
):
    query = provider.log_in(there(anybody, trusted), ANN)

    with httpx.Client(base_url=server) as victim:
        there(victim, trusted)
        answer = victim.get(BACK, params=query)

    assert answer.status_code == 403
    assert "begin again" in answer.text
    assert COOKIE not in answer.cookies


def test_a_person_who_declined_is_told_and_what_the_provider_says_is_escaped(
    anybody: httpx.Client, trusted: UUID
):
    there(anybody, trusted)

    answer = anybody.get(BACK, params={"error": "access_denied<script>"})

    assert "Your provider let nobody in (access_denied&lt;script&gt;)" in answer.text


def test_it_leads_back_to_an_address_in_any_script(
    anybody: httpx.Client, trusted: UUID, provider: OidcProvider
):
    url = there(anybody, trusted, "/virtual-accounts?q=ключ€")

    answer = back(anybody, provider, url)

    assert unquote(answer.headers["location"]) == "/virtual-accounts?q=ключ€"


def test_it_leads_to_no_other_site(anybody: httpx.Client, trusted: UUID, provider: OidcProvider):
    url = there(anybody, trusted, "https://evil.example")

    assert back(anybody, provider, url).headers["location"] == "/"


def test_a_provider_that_is_away_is_said_to_be(
    anybody: httpx.Client, trusted: UUID, provider: OidcProvider
):
    url = there(anybody, trusted)
    query = provider.log_in(url, ANN)
    provider.stop()
    try:
        answer = anybody.get(BACK, params=query)
    finally:
        provider.start("key-2")

    assert answer.status_code == 503
    assert "does not answer" in answer.text


def test_an_unknown_provider_is_not_there(anybody: httpx.Client, trusted: UUID):
    assert anybody.get("/sign-in/at/01a22808-039b-7387-8915-4629d22da44c").status_code == 404
    assert anybody.get("/sign-in/at/no-uuid").status_code == 404


def test_of_several_organisations_people_say_theirs(
    anybody: httpx.Client, trusted: UUID, world: World
):
    ensure_tenant(world.runtime, "globex", limits=LIMITS, admin_email="bob@example.com")

    unnamed = anybody.get("/sign-in?next=%2Fdevice").text
    named = anybody.get("/sign-in", params={"tenant": "acme", "next": "/device"}).text

    assert 'name="tenant"' in unnamed
    assert "corporate" not in unnamed
    assert f'href="/sign-in/at/{trusted}?next=/device"' in named
    for other in ("globex", "nobody"):
        page = anybody.get("/sign-in", params={"tenant": other}).text
        assert "No identity provider signs people in to it." in page
