import httpx
import pytest

from models import DeviceLogin
from services.people.device_login import begin_login, finish_login
from tests.console.visits import Visitors
from tests.support.world import World


def test_a_person_approves_the_login_of_a_client(world: World, visitors: Visitors):
    begun = begin_login(world.runtime, "acme")
    ann = visitors.by_http(visitors.admin())

    shown = ann.get("/device", params={"code": begun.user_code})
    answer = ann.post("/device", {"code": begun.user_code})

    assert f'value="{begun.user_code}"' in shown.text
    assert answer.headers["location"] == "/device?done=approved"
    assert "You can go back to your terminal" in ann.get(answer.headers["location"]).text
    opened = finish_login(world.runtime, "acme", begun.device_code.reveal())
    assert opened is not None


def test_looking_at_it_approves_nothing(world: World, visitors: Visitors):
    begun = begin_login(world.runtime, "acme")

    visitors.by_http(visitors.admin()).get("/device", params={"code": begun.user_code})

    assert [row.approved_at for row in world.rows(DeviceLogin)] == [None]


@pytest.mark.parametrize("code", ["", "BCDF-GHJK", '"><script>alert(1)</script>'])
def test_an_unknown_code_is_said_beside_the_field(visitors: Visitors, code: str):
    ann = visitors.by_http(visitors.admin())

    answer = ann.post("/device", {"code": code})

    assert answer.status_code == 422
    assert "There is no login with this code" in answer.text
    assert "<script>alert" not in answer.text


def test_guessing_codes_is_limited(visitors: Visitors):
    ann = visitors.by_http(visitors.admin())

    answers = [ann.post("/device", {"code": "BCDF-GHJK"}).status_code for _ in range(31)]

    assert answers == [422] * 30 + [429]


def test_whoever_is_not_signed_in_does_that_first(anybody: httpx.Client):
    answer = anybody.get("/device?code=BCDF-GHJK")

    assert answer.headers["location"].startswith("/sign-in?next=%2Fdevice")
