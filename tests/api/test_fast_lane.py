"""What gateways ask again and again is answered from memory, as it is the first time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.tokens import Token, TokenKind, mint
from services.engine import tokens
from tests.api.gateways import FORWARD_AUTH, INTROSPECT, VERIFY, Gateway, gateway
from tests.support.persons import person
from tests.support.postgres import Postgres
from tests.support.serving import Stage
from tests.support.verifiers import queries
from tests.support.world import World, new_world

READ = "virtual-account:read"
QUESTION = {
    "resource_type": "virtual-account",
    "resource_fqn": "virtualaccount:ci-bot",
    "action": READ,
}


@pytest.fixture
def asking(world: World, stage: tuple[Stage, str]) -> Iterator[Gateway]:
    with gateway(world, stage) as made:
        yield made


@pytest.fixture
def admin(admin_token: str) -> Token:
    return Token(admin_token)


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH, f"{FORWARD_AUTH}/v1/chat?q=1"])
def test_an_answer_from_memory_is_the_first_one_again(asking: Gateway, world: World, path: str):
    _, token = world.create()
    first = asking.ask(path, token)

    with queries(world) as said:
        second = asking.ask(path, token)

    own = {"x-request-id", "date"}
    assert (second.status_code, second.content) == (200, first.content)
    assert {k: v for k, v in second.headers.items() if k not in own} == {
        k: v for k, v in first.headers.items() if k not in own
    }
    assert said == []


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH])
def test_a_refusal_from_memory_is_the_first_one_again(asking: Gateway, path: str):
    token = mint(TokenKind.VIRTUAL_ACCOUNT)
    first = asking.ask(path, token)

    second = asking.ask(path, token)

    assert (second.status_code, second.content) == (401, first.content)
    for name in ("WWW-Authenticate", "Cache-Control", "Content-Type"):
        assert second.headers[name] == first.headers[name]


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH])
def test_a_revoked_token_is_refused_once_that_is_heard(asking: Gateway, world: World, path: str):
    account, token = world.create()
    asking.ask(path, token)

    tokens.revoke_all(world.runtime, world.admin, account.id)
    asking.hear()

    assert asking.ask(path, token).json()["code"] == "revoked"


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH])
def test_every_answer_bears_the_requests_id(asking: Gateway, world: World, path: str):
    _, token = world.create()
    given = {"X-Request-Id": "trace-7"}

    answers = [asking.ask(path, token, headers=given) for _ in range(2)]
    own = [asking.ask(path, token).headers["X-Request-Id"] for _ in range(2)]
    unfit = asking.ask(path, token, headers={"X-Request-Id": "a b"}).headers["X-Request-Id"]

    assert [answer.headers["X-Request-Id"] for answer in answers] == ["trace-7"] * 2
    assert len({*own, unfit, "a b"}) == 4


def test_each_use_of_a_good_token_is_counted(asking: Gateway, world: World, admin: Token):
    account, token = world.create()
    agent = {"User-Agent": "curl/8"}

    for path in (VERIFY, VERIFY, FORWARD_AUTH):
        asking.ask(path, token, headers=agent)
    asking.ask(INTROSPECT, admin, "POST", data={"token": token.reveal()})
    asking.ask(VERIFY, mint(TokenKind.PERSONAL))

    token_id = world.current(account).id
    here = "127.0.0.1"
    assert asking.uses.counted == [
        (token_id, here, "curl/8", "verify"),
        (token_id, here, "curl/8", "verify"),
        (token_id, here, "curl/8", "gateway"),
        (token_id, None, None, "introspect"),
    ]


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH])
def test_a_bearer_that_may_is_told_so(asking: Gateway, admin: Token, path: str):
    answers = [asking.ask(path, admin, params=QUESTION) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    if path == VERIFY:
        assert [answer.json()["allowed"] for answer in answers] == [True, True]
        assert "allowed" not in asking.ask(path, admin).json()


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH])
def test_a_bearer_that_may_not_is_told_what_is_lacking(asking: Gateway, world: World, path: str):
    _, token = world.create()

    answers = [asking.ask(path, token, params=QUESTION) for _ in range(2)]

    for answer in answers:
        assert answer.status_code == 403
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
        assert answer.json() == {
            "statusCode": 403,
            "message": "This needs virtual-account:read on virtualaccount:ci-bot.",
            "code": "forbidden",
            "details": [{"reason": "not_granted"}],
        }


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH])
@pytest.mark.parametrize(
    ("field", "question"),
    [
        ("resource_type", {"action": READ}),
        ("resource_type", {**QUESTION, "resource_type": "moon"}),
        ("resource_fqn", {"resource_type": "virtual-account", "action": READ}),
        ("resource_fqn", {**QUESTION, "resource_fqn": ""}),
        ("resource_fqn", {**QUESTION, "resource_fqn": "x" * 501}),
        ("action", {**QUESTION, "action": "virtual-account:fly"}),
        ("action", {"resource_type": "virtual-account", "resource_fqn": "x"}),
        ("action", {**QUESTION, "action": [READ, READ]}),
        ("method_from", {"resource_type": "team", "resource_fqn": "x", "method_from": "me"}),
    ],
)
def test_a_question_that_is_not_whole_is_refused_by_its_field(
    asking: Gateway, admin: Token, path: str, field: str, question: dict[str, object]
):
    answer = asking.ask(path, admin, params=question)

    assert answer.status_code == 422
    assert answer.json()["details"] == [{"field": field}]


def test_garbage_costs_no_query(asking: Gateway, world: World):
    garbage = ["x", "tfy_vat_" + "0" * 49, "eyJhbGciOiJub25lIn0.e30.", "\xff" * 57]

    with queries(world) as said:
        answers = [
            asking.http.get(VERIFY, headers={"Authorization": f"Bearer {text}".encode("latin-1")})
            for text in garbage
        ]

    assert [answer.json()["code"] for answer in answers] == ["malformed"] * 4
    assert said == []


def test_two_different_tokens_in_one_call_are_refused(asking: Gateway, world: World):
    _, token = world.create()
    _, other = world.create("other-bot")

    def ask(path: str, *headers: tuple[str, str]) -> int:
        return asking.http.get(path, headers=list(headers)).status_code

    first = ("Authorization", f"Bearer {token.reveal()}")
    second = ("Authorization", f"Bearer {other.reveal()}")
    assert ask(VERIFY, first, second) == 401
    assert ask(VERIFY, first, first) == 200
    assert ask(FORWARD_AUTH, first, ("X-API-Key", other.reveal())) == 401
    assert ask(FORWARD_AUTH, first, ("X-API-Key", token.reveal())) == 200


def test_verify_has_no_other_method(asking: Gateway, world: World):
    _, token = world.create()

    assert asking.ask(VERIFY, token, "POST").status_code == 405
    assert asking.ask(INTROSPECT, token).status_code == 405


def test_clients_behind_a_trusted_proxy_are_counted_and_limited_by_their_own_address(
    stage: tuple[Stage, str], tmp_path: Path
):
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    limits = {"failed_logins": 3, "trusted_proxies": "127.0.0.0/8"}
    with new_world(url, tmp_path, **limits) as world, gateway(world, stage) as asking:
        _, token = world.create()
        unknown = mint(TokenKind.PERSONAL)
        here, there = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}

        asking.ask(FORWARD_AUTH, token, headers=here)
        asking.ask(FORWARD_AUTH, token, headers=there)
        failed = [asking.ask(FORWARD_AUTH, unknown, headers=here) for _ in range(4)]

        assert [use[1] for use in asking.uses.counted] == ["203.0.113.1", "203.0.113.2"]
        assert [one.status_code for one in failed] == [401, 401, 401, 429]
        assert failed[-1].headers["Retry-After"] == "20"
        assert asking.ask(FORWARD_AUTH, token, headers=here).status_code == 200
        assert asking.ask(FORWARD_AUTH, unknown, headers=there).status_code == 401


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH])
def test_while_the_database_is_away_the_answer_is_come_back_and_never_no(
    stage: tuple[Stage, str], tmp_path: Path, path: str
):
    with (
        Postgres(own=True) as server,
        new_world(server.create_database("keyturn"), tmp_path) as world,
        gateway(world, stage) as asking,
    ):
        _, token = world.create()
        world.create("other-bot")
        ann = person(world)
        asking.ask(path, token)
        server.stop()

        from_memory = asking.ask(path, token)
        others = asking.ask(path, ann.token)
        world.clock.pass_(seconds=5)
        later = asking.ask(path, token)

        assert from_memory.status_code == 200
        for answer in (others, later):
            assert (answer.status_code, answer.json()["code"]) == (503, "unready")
            assert answer.headers["Retry-After"] == "2"
