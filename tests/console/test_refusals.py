import httpx
from hypothesis import given
from hypothesis import strategies as st

from api.errors import STATUS
from console.refusals import EXPLAINED
from console.visitors import local_path
from tests.console.visits import Visitors


def test_every_error_has_a_page_that_says_what_to_do():
    assert all(one.title and one.advice.endswith(".") for one in EXPLAINED.values())


def test_an_error_has_the_status_that_the_api_gives_it():
    assert {kind: one.status for kind, one in EXPLAINED.items()} == STATUS


def test_an_unknown_address_is_a_page_with_a_way_back(visitors: Visitors):
    answer = visitors.by_http(visitors.admin()).get("/no/such/page")

    assert answer.status_code == 404
    assert "There is no page" in answer.text
    assert 'href="/"' in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_what_an_address_holds_is_escaped(visitors: Visitors):
    answer = visitors.by_http(visitors.admin()).get("/<script>alert(1)</script>")

    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_calls_of_the_api_are_refused_in_its_own_words(anybody: httpx.Client):
    answer = anybody.get("/api/svc/v1/nothing")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_the_apis_own_pages_stay_where_they_were(anybody: httpx.Client):
    assert anybody.get("/healthz").json() == {"status": "ok"}
    assert "swagger" in anybody.get("/docs").text
    assert anybody.get("/openapi.json").json()["info"]["title"] == "Keyturn"


@given(st.text())
def test_a_path_to_go_on_to_is_one_of_ours(given_path: str):
    path = local_path(given_path)

    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path in {given_path, "/"}
