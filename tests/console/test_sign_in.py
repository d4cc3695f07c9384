from datetime import timedelta
from http.cookies import SimpleCookie

import httpx
import pytest

from core.tokens import TokenKind, mint
from models import LoginSession, PersonalAccessToken
from services.operation.tenants import set_limits
from tests.console.visits import COOKIE, Visitors
from tests.support.persons import person
from tests.support.world import World


def sign_in(anybody: httpx.Client, token: str, **more: str) -> httpx.Response:
    return anybody.post("/sign-in", data={"token": token, **more})


def cookie(answer: httpx.Response):
    (given,) = [one for one in answer.headers.get_list("set-cookie") if COOKIE in one]
    return SimpleCookie(given)


def sessions(world: World) -> list[LoginSession]:
    return world.rows(LoginSession)


def test_a_personal_access_token_opens_a_session(anybody: httpx.Client, visitors: Visitors):
    ann = visitors.admin()

    answer = sign_in(anybody, ann.token)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "ann@example.com" in anybody.get("/").text


def test_the_sessions_cookie_is_for_the_server_alone(anybody: httpx.Client, visitors: Visitors):
    answer = sign_in(anybody, visitors.admin().token)

    kept = cookie(answer)[COOKIE]
    assert kept["httponly"] is True
    assert kept["samesite"] == "lax"
    assert (kept["path"], kept["domain"]) == ("/", "")
    assert kept["max-age"] == str(12 * 3600)


def test_the_session_is_as_long_as_the_tenant_allows(
    world: World, anybody: httpx.Client, visitors: Visitors
):
    set_limits(world.runtime, world.admin, {"session_length": timedelta(minutes=30)})

    answer = sign_in(anybody, visitors.admin().token)

    assert cookie(answer)[COOKIE]["max-age"] == "1800"
    world.clock.pass_(minutes=31)
    assert anybody.get("/").headers["location"] == "/sign-in"


def test_the_session_ends_with_its_token(world: World, anybody: httpx.Client):
    ends = world.clock.now() + timedelta(minutes=5)
    ann = person(world, expires_at=ends)

    answer = sign_in(anybody, ann.token)

    assert cookie(answer)[COOKIE]["max-age"] == "300"
    with world.runtime.database.writing() as session:
        row = session.get_one(PersonalAccessToken, (ann.token_id, world.tenant_id))
        row.revoked_at = world.clock.now()
    assert anybody.get("/").headers["location"] == "/sign-in"


@pytest.mark.parametrize("given", ["", "garbage", "tfy_pat_" + "0" * 49])
def test_what_is_no_token_opens_nothing(world: World, anybody: httpx.Client, given: str):
    answer = sign_in(anybody, given)

    assert answer.status_code == 403
    assert 'aria-invalid="true"' in answer.text
    assert sessions(world) == []


def test_a_machines_token_signs_nobody_in(world: World, anybody: httpx.Client):
    _, token = world.create()

    answer = sign_in(anybody, token.reveal())

    assert answer.status_code == 403
    assert "people sign in here" in answer.text
    assert sessions(world) == []


def test_a_sessions_token_does_not_renew_itself(anybody: httpx.Client, visitors: Visitors):
    answer = sign_in(anybody, visitors.session(visitors.admin()))

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_personal_token_in_the_cookie_is_no_session(anybody: httpx.Client, visitors: Visitors):
    anybody.cookies.set(COOKIE, visitors.admin().token)

    assert anybody.get("/").headers["location"] == "/sign-in"


def test_a_session_that_was_planted_before_is_not_the_one_that_is_opened(
    world: World, visitors: Visitors
):
    victim = visitors.by_http(visitors.member("mallory@example.com"))
    planted = victim.http.cookies[COOKIE]

    answer = victim.post("/sign-in", {"token": visitors.admin().token})

    assert cookie(answer)[COOKIE].value != planted
    assert len(sessions(world)) == 1  # the planted one has ended


def test_a_session_that_is_none_is_never_taken_up(
    world: World, anybody: httpx.Client, visitors: Visitors
):
    planted = mint(TokenKind.SESSION).reveal()
    anybody.cookies.set(COOKIE, planted, domain="127.0.0.1", path="/")

    answer = sign_in(anybody, visitors.admin().token)

    assert cookie(answer)[COOKIE].value != planted


def test_each_sign_in_is_a_session_of_its_own(world: World, server: str, visitors: Visitors):
    ann = visitors.admin()

    found = set()
    for _ in range(2):
        with httpx.Client(base_url=server, headers={"Origin": server}) as http:
            found.add(cookie(sign_in(http, ann.token))[COOKIE].value)

    assert len(found) == 2
    assert len(sessions(world)) == 2


def test_signing_out_ends_the_session(world: World, visitors: Visitors):
    ann = visitors.by_http(visitors.admin())

    answer = ann.post("/sign-out")

    assert answer.headers["location"] == "/sign-in?done=signed-out"
    assert sessions(world) == []
    assert ann.get("/").headers["location"] == "/sign-in"


def test_signing_out_everywhere_ends_every_session_of_the_person_and_of_nobody_else(
    world: World, visitors: Visitors
):
    ann = visitors.admin()
    here, there = visitors.by_http(ann), visitors.by_http(ann)
    bob = visitors.by_http(visitors.member())

    here.post("/sign-out-everywhere")

    assert there.get("/").headers["location"] == "/sign-in"
    assert bob.get("/device").status_code == 200
    assert len(sessions(world)) == 1


def test_after_too_many_failures_nothing_is_looked_up_for_the_address(anybody: httpx.Client):
    answers = [sign_in(anybody, mint(TokenKind.PERSONAL).reveal()) for _ in range(32)]

    assert [one.status_code for one in answers[:30]] == [403] * 30
    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"]
    assert "Too many attempts" in answers[-1].text


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\\evil",
        "/ /evil.example",
        "/\t/evil.example",
        "evil",
    ],
)
def test_signing_in_leads_to_no_other_site(
    anybody: httpx.Client, visitors: Visitors, elsewhere: str
):
    answer = sign_in(anybody, visitors.admin().token, next=elsewhere)

    assert answer.headers["location"] == "/"


def test_whoever_signs_in_goes_on_to_where_they_were_going(
    anybody: httpx.Client, visitors: Visitors
):
    asked = anybody.get("/device?code=BCDF-GHJK")
    assert asked.headers["location"] == "/sign-in?next=%2Fdevice%3Fcode%3DBCDF-GHJK"

    page = anybody.get(asked.headers["location"]).text
    assert 'name="next" value="/device?code=BCDF-GHJK"' in page
    answer = sign_in(anybody, visitors.admin().token, next="/device?code=BCDF-GHJK")

    assert answer.headers["location"] == "/device?code=BCDF-GHJK"
