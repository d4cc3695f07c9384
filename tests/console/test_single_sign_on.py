"""The console's side of signing in elsewhere, with a provider that believes one word."""

from collections.abc import Iterator, Mapping

import httpx
import pytest

from console.single_sign_on import Begun
from core.errors import Unauthenticated
from core.tokens import Token
from services.people.sign_in import Opened
from tests.console.served import composed
from tests.console.visits import COOKIE
from tests.support.persons import logged_in, person
from tests.support.serving import serving
from tests.support.world import World

ELSEWHERE = "https://login.example.com/authorize?state=abc"


class Believing:
    """Sends to one address, and takes who comes back with what was kept."""

    name = "corporate"
    title = "Corporate login"

    def __init__(self, world: World) -> None:
        self._world = world
        self.back_to = ""

    def begin(self, back_to: str) -> Begun:
        self.back_to = back_to
        return Begun(ELSEWHERE, "kept-secret")

    def finish(
        self, query: Mapping[str, str], kept: str, back_to: str, *, address, request_id
    ) -> Opened:
        if (query.get("code"), kept, back_to) != ("good", "kept-secret", self.back_to):
            raise Unauthenticated("this login was not begun here")
        token: Token = logged_in(self._world, person(self._world))
        return Opened(token, self._world.clock.now().replace(hour=21))


@pytest.fixture
def http(world: World) -> Iterator[httpx.Client]:
    app, _ = composed(world.runtime, [Believing(world)])
    with serving(app) as address, httpx.Client(base_url=address) as made:
        yield made


def test_the_sign_in_page_names_it_and_leads_there(http: httpx.Client):
    page = http.get("/sign-in?next=%2Fdevice").text
    answer = http.get("/sign-in/with/corporate?next=%2Fdevice")

    assert "Continue with Corporate login" in page
    assert 'href="/sign-in/with/corporate?next=/device"' in page
    assert (answer.status_code, answer.headers["location"]) == (303, ELSEWHERE)
    assert "HttpOnly" in answer.headers["set-cookie"]


def test_whoever_comes_back_is_signed_in_and_goes_on(http: httpx.Client):
    http.get("/sign-in/with/corporate?next=%2Fdevice")

    answer = http.get("/sign-in/with/corporate/done?code=good")

    assert answer.headers["location"] == "/device"
    assert answer.cookies[COOKIE].startswith("tfy_ses_")
    assert "ann@example.com" in http.get("/device").text


def test_a_login_that_was_begun_elsewhere_signs_nobody_in(http: httpx.Client):
    answer = http.get("/sign-in/with/corporate/done?code=good")

    assert answer.status_code == 403
    assert "Corporate login: this login was not begun here." in answer.text
    assert COOKIE not in answer.cookies


def test_it_leads_to_no_other_site(http: httpx.Client):
    http.get("/sign-in/with/corporate", params={"next": "https://evil.example"})

    answer = http.get("/sign-in/with/corporate/done?code=good")

    assert answer.headers["location"] == "/"


def test_an_unknown_provider_is_not_there(http: httpx.Client):
    assert http.get("/sign-in/with/nobody").status_code == 404
    assert http.get("/sign-in/with/nobody/done").status_code == 404
