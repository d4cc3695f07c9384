import re

import httpx
import pytest

from models import LoginSession, User
from services.people.invitations import register
from services.people.sign_in import sign_in_link
from tests.console.visits import COOKIE
from tests.support.world import World

PAGE = "http://127.0.0.1:8400/welcome"


def token_of(link: str) -> str:
    return re.search(r"token=(\w+)", link)[1]


def sessions(world: World) -> list[LoginSession]:
    return world.rows(LoginSession)


@pytest.fixture
def invited(world: World) -> str:
    made = register(world.runtime, world.admin, "new@example.com", with_link_to=PAGE)
    return token_of(made.invitation.link)


def test_looking_at_an_invitation_changes_nothing(
    world: World, anybody: httpx.Client, invited: str
):
    answers = [anybody.get("/welcome", params={"token": invited}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "new@example.com" in answers[0].text
    assert "acme" in answers[0].text
    assert sessions(world) == []


def test_accepting_it_signs_in_once(world: World, anybody: httpx.Client, invited: str):
    answer = anybody.post("/welcome", data={"token": invited})

    assert (answer.status_code, answer.headers["location"]) == (303, "/?done=signed-in")
    assert "new@example.com" in anybody.get("/device").text
    anybody.cookies.clear()
    again = anybody.post("/welcome", data={"token": invited})
    assert again.status_code == 404
    assert "not valid any more" in again.text
    assert len(sessions(world)) == 1


@pytest.mark.parametrize("token", ["", "tfy_inv_" + "0" * 49, "<script>alert(1)</script>"])
def test_what_is_no_invitation_opens_nothing(anybody: httpx.Client, token: str):
    shown = anybody.get("/welcome", params={"token": token})
    acted = anybody.post("/welcome", data={"token": token})

    assert (shown.status_code, acted.status_code) == (404, 404)
    assert "alert(1)" not in shown.text
    assert COOKIE not in acted.cookies


def test_an_invitation_ends_after_a_week(world: World, anybody: httpx.Client, invited: str):
    world.clock.pass_(days=7)

    assert anybody.post("/welcome", data={"token": invited}).status_code == 404


def test_a_link_from_the_machine_signs_the_only_admin_in(world: World, anybody: httpx.Client):
    link = sign_in_link(world.runtime, world.admin, None, page_url=PAGE)

    shown = anybody.get("/welcome", params={"token": token_of(link)})
    answer = anybody.post("/welcome", data={"token": token_of(link)})

    assert link.startswith(PAGE)
    assert "admin@example.com" in shown.text
    assert answer.status_code == 303
    (user,) = world.rows(User)
    assert (user.invitation, user.accepted_at) == (None, world.clock.now())


def test_such_a_link_ends_after_a_quarter_of_an_hour(world: World, anybody: httpx.Client):
    link = sign_in_link(world.runtime, world.admin, None, page_url=PAGE)
    world.clock.pass_(minutes=15)

    assert anybody.post("/welcome", data={"token": token_of(link)}).status_code == 404


def test_the_browsers_earlier_session_ends(world: World, anybody: httpx.Client, invited: str):
    link = sign_in_link(world.runtime, world.admin, None, page_url=PAGE)
    anybody.post("/welcome", data={"token": token_of(link)})

    anybody.post("/welcome", data={"token": invited, "csrf": _token(anybody)})

    assert len(sessions(world)) == 1


def _token(http: httpx.Client) -> str:
    return re.search(r'name="csrf" value="(\w+)"', http.get("/device").text)[1]


def test_guessing_is_limited(anybody: httpx.Client):
    answers = [
        anybody.get("/welcome", params={"token": "tfy_inv_guess"}).status_code for _ in range(31)
    ]

    assert answers[:30] == [404] * 30
    assert answers[30] == 429
