import httpx
import pytest

from console import forgery
from console.app import PAGES
from core.errors import Forbidden
from core.tokens import TokenKind, mint
from models import LoginSession
from tests.console.visits import COOKIE, Visitors
from tests.support.world import World

NOWHERE = "01a2098a-07c4-7e82-8e5d-95a3c35dbaa4"
CHANGES = sorted(
    route.path
    for router in PAGES
    for route in router.routes
    if set(route.methods) - {"GET", "HEAD"}
)
OPEN = {"/sign-in", "/welcome", "/theme"}  # nobody needs to be signed in


def filled(path: str) -> str:
    while "{" in path:
        head, _, rest = path.partition("{")
        path = head + NOWHERE + rest.partition("}")[2]
    return path


def test_what_changes_something_is_a_post():
    methods = {method for router in PAGES for route in router.routes for method in route.methods}

    assert methods <= {"GET", "HEAD", "POST"}


def test_a_form_without_the_pages_token_is_refused(visitors: Visitors):
    ann = visitors.by_http(visitors.admin())

    answers = {path: ann.http.post(filled(path), data={"csrf": ""}) for path in CHANGES}

    assert {path for path, answer in answers.items() if answer.status_code != 403} == set()
    assert all("not from this site" in answer.text for answer in answers.values())


def test_a_form_with_another_sessions_token_is_refused(visitors: Visitors):
    ann, bob = visitors.by_http(visitors.admin()), visitors.by_http(visitors.member())
    sent = {"csrf": bob.form_token()}

    answers = {path: ann.http.post(filled(path), data=sent).status_code for path in CHANGES}

    assert set(answers.values()) == {403}


@pytest.mark.parametrize(
    "said",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
    ids=str,
)
def test_a_form_from_another_site_is_refused(server: str, visitors: Visitors, said: dict[str, str]):
    ann = visitors.by_http(visitors.admin())
    sent = {"csrf": ann.form_token()}

    with httpx.Client(base_url=server, cookies=ann.http.cookies) as elsewhere:
        answers = {
            path: elsewhere.post(filled(path), data=sent, headers=said).status_code
            for path in CHANGES
        }

    assert set(answers.values()) == {403}


def test_nobody_changes_anything_without_signing_in(anybody: httpx.Client):
    answers = {path: anybody.post(filled(path)) for path in CHANGES if path not in OPEN}

    assert {answer.headers.get("location") for answer in answers.values()} == {"/sign-in"}


def test_the_token_may_come_in_a_scripts_header(visitors: Visitors):
    ann = visitors.by_http(visitors.admin())

    answer = ann.http.post("/sign-out", headers={forgery.HEADER: ann.form_token()})

    assert answer.status_code == 303


def test_each_page_has_a_token_of_its_own_and_all_are_good():
    session = mint(TokenKind.SESSION)

    first, second = forgery.form_token(session), forgery.form_token(session)

    assert first != second
    forgery.check_token(session, first)
    forgery.check_token(session, second)
    with pytest.raises(Forbidden):
        forgery.check_token(mint(TokenKind.SESSION), first)
    with pytest.raises(Forbidden):
        forgery.check_token(session, first[:-1] + ("0" if first[-1] != "0" else "1"))


def test_a_session_that_has_ended_changes_nothing(world: World, visitors: Visitors):
    ann = visitors.by_http(visitors.admin())
    token = ann.form_token()
    with world.runtime.database.writing() as session:
        for row in session.query(LoginSession):
            session.delete(row)

    answer = ann.http.post("/sign-out-everywhere", data={"csrf": token})

    assert answer.headers["location"] == "/sign-in"
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]
