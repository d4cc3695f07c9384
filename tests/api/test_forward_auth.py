"""Forward-auth: what proxies ask before they let a request through."""

from collections.abc import Iterator

import pytest

from core.tokens import Token
from services.engine import tokens
from tests.api.gateways import FORWARD_AUTH, HEADERS, Gateway, gateway
from tests.support.persons import person
from tests.support.serving import Stage
from tests.support.world import HOURLY, World

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
ABOUT = {"resource_type": "mcp-server", "resource_fqn": "acme:tools"}


@pytest.fixture
def asking(world: World, stage: tuple[Stage, str]) -> Iterator[Gateway]:
    with gateway(world, stage) as made:
        yield made


def test_a_machine_is_told_by_headers(asking: Gateway, world: World):
    account, old = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    answer = asking.ask(FORWARD_AUTH, old)

    assert (answer.status_code, answer.content) == (200, b"")
    assert [answer.headers[name] for name in HEADERS] == [
        "acme",
        "ci-bot",
        "virtualaccount",
        str(world.tokens(account)[0].id),
        "1",
        "2026-03-02T09:10:00Z",
    ]


def test_every_header_is_sent_though_it_is_empty(asking: Gateway, world: World):
    ann = person(world)

    answer = asking.ask(FORWARD_AUTH, ann.token)

    assert [answer.headers[name] for name in HEADERS] == [
        "acme",
        "ann@example.com",
        "user",
        str(ann.token_id),
        "",
        "",
    ]


def test_a_name_that_no_header_can_hold_is_written_with_percent_signs(
    asking: Gateway, world: World
):
    zoe = person(world, "zoë@example.com")

    answers = [asking.ask(FORWARD_AUTH, zoe.token) for _ in range(2)]

    assert {a.headers["X-Keyturn-Subject"] for a in answers} == {"zo%C3%AB@example.com"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("below", ["", "/", "/v1/chat/completions", "/a//x?action=none"])
def test_any_method_and_any_path_below_is_asked_alike(
    asking: Gateway, world: World, method: str, below: str
):
    _, token = world.create()

    good = [asking.ask(FORWARD_AUTH + below, token, method).status_code for _ in range(2)]

    assert good == [200, 200]
    assert asking.ask(FORWARD_AUTH + below, None, method).status_code == 401


def test_a_path_beside_it_is_not_there(asking: Gateway, world: World):
    _, token = world.create()

    assert asking.ask(f"{FORWARD_AUTH}s", token).status_code == 404


def test_a_token_may_come_as_an_api_key(asking: Gateway, world: World):
    _, token = world.create()

    answers = [
        asking.ask(FORWARD_AUTH, headers={"X-API-Key": token.reveal()}).status_code
        for _ in range(2)
    ]

    assert answers == [200, 200]
    assert asking.ask(FORWARD_AUTH, headers={"X-API-Key": "sk-1"}).json()["code"] == "malformed"


@pytest.mark.parametrize(
    ("sent", "needed"),
    [
        ({"X-Original-Method": "GET"}, "read"),
        ({"X-Original-Method": "POST"}, "use"),
        ({"X-Original-Method": "get"}, "use"),
        ({"X-Forwarded-Method": "GET"}, "use"),
        ({"X-Original-Method": "DELETE", "X-Forwarded-Method": "GET"}, "use"),
        ({}, "use"),
    ],
)
def test_the_header_that_the_gateway_sets_may_say_what_is_asked_for(
    asking: Gateway, world: World, sent: dict[str, str], needed: str
):
    _, token = world.create()

    answer = asking.ask(
        FORWARD_AUTH, token, "GET", params={**ABOUT, "method_from": "original"}, headers=sent
    )

    assert answer.status_code == 403
    assert answer.json()["message"] == f"This needs mcp-server:{needed} on acme:tools."


def test_the_original_requests_query_asks_nothing(asking: Gateway, world: World):
    _, token = world.create()
    query = {**ABOUT, "action": "mcp-server:use"}

    assert asking.ask(FORWARD_AUTH, token, params=query).status_code == 403
    assert asking.ask(f"{FORWARD_AUTH}/tools", token, params=query).status_code == 200


def test_a_header_that_is_no_text_harms_nothing(asking: Gateway, world: World):
    _, token = world.create()
    bearer = f"Bearer {token.reveal()}"

    answer = asking.http.get(
        FORWARD_AUTH,
        headers={"Authorization": bearer, "User-Agent": b"\xff\xfe", "X-Request-Id": b"\xe9"},
    )

    assert answer.status_code == 200


@pytest.mark.law(9)
def test_no_answer_holds_the_token(asking: Gateway, world: World):
    _, token = world.create()

    answers = [asking.ask(FORWARD_AUTH, token), asking.ask(FORWARD_AUTH, token)]

    assert token.reveal() not in "".join(f"{a.text}{a.headers}" for a in answers)
    assert Token(token.reveal()).last_four not in "".join(str(a.headers) for a in answers)
