"""Failed logins are limited; whoever has a good token does not notice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from api.app import create_app
from core.tokens import Token, TokenKind, mint
from models import AuditRow
from services.engine import tokens
from tests.api.calls import ADMIN
from tests.support.serving import Stage
from tests.support.world import World, new_world

CALL = "/api/svc/v1/virtual-accounts"
VERIFY = "/api/v1/verify"
ALLOWED = 3


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with new_world(url, tmp_path / "files", failed_logins=ALLOWED) as made:
        yield made


@pytest.fixture
def behind_proxy(stage: tuple[Stage, str], tmp_path: Path) -> Iterator[tuple[httpx.Client, World]]:
    """A service that trusts a proxy on this machine; and its world."""
    player, address = stage
    url = f"sqlite:///{tmp_path / 'proxied.db'}"
    limits = {"failed_logins": ALLOWED, "trusted_proxies": "127.0.0.0/8"}
    with (
        new_world(url, tmp_path / "proxied", **limits) as world,
        player.playing(create_app(world.runtime)),
        httpx.Client(base_url=address, timeout=30) as http,
    ):
        yield http, world


def call(
    http: httpx.Client, token: Token | str, client: str | None = None, path: str = CALL
) -> httpx.Response:
    text = token if isinstance(token, str) else token.reveal()
    headers = {"Authorization": f"Bearer {text}"}
    if client:
        headers["X-Forwarded-For"] = client
    return http.get(path, headers=headers)


def unknown() -> Token:
    """Well-formed, and nobody's."""
    return mint(TokenKind.VIRTUAL_ACCOUNT)


def statuses(http: httpx.Client, count: int, client: str | None = None, path: str = CALL):
    return [call(http, unknown(), client, path).status_code for _ in range(count)]


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements that reach the database meanwhile."""
    said: list[str] = []

    def listen(_connection, _cursor, statement, *_rest):
        said.append(statement)

    engine = world.runtime.database.engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def test_too_many_unknown_tokens_are_told_when_to_come_back(anybody: httpx.Client):
    assert statuses(anybody, ALLOWED + 2) == [401, 401, 401, 429, 429]

    answer = call(anybody, unknown())
    assert answer.json() == {
        "statusCode": 429,
        "message": "Too many logins have failed: come back later.",
        "code": "throttled",
        "details": None,
    }
    assert answer.headers["Retry-After"] == "20"


def test_who_waits_as_told_is_looked_up_again(anybody: httpx.Client, world: World):
    statuses(anybody, ALLOWED)
    wait = int(call(anybody, unknown()).headers["Retry-After"])

    world.clock.pass_(seconds=wait)

    assert statuses(anybody, 2) == [401, 429]


def test_over_the_limit_nothing_is_asked_of_the_database(anybody: httpx.Client, world: World):
    statuses(anybody, ALLOWED)

    with counted(world) as said:
        statuses(anybody, 5)

    assert said == []


def test_a_good_token_from_the_same_address_goes_on_working(anybody: httpx.Client, world: World):
    _, token = world.create()
    assert call(anybody, token).status_code == 200

    statuses(anybody, ALLOWED + 5)

    assert call(anybody, token).status_code == 200


def test_a_good_token_that_is_new_here_works_as_soon_as_there_is_room(
    anybody: httpx.Client, world: World
):
    _, token = world.create()
    statuses(anybody, ALLOWED + 5)

    during = call(anybody, token)
    world.clock.pass_(seconds=int(during.headers["Retry-After"]))
    after = call(anybody, token)
    statuses(anybody, ALLOWED + 5)

    assert (during.status_code, after.status_code) == (429, 200)
    assert call(anybody, token).status_code == 200


def test_a_good_login_costs_nothing_of_the_limit(anybody: httpx.Client, world: World):
    _, token = world.create()

    assert [call(anybody, token).status_code for _ in range(10)] == [200] * 10
    assert statuses(anybody, ALLOWED) == [401] * ALLOWED


@pytest.mark.parametrize("text", ["x", "nonsense", "tfy_vat_short", "eyJhbGciOiJub25lIn0.e30."])
def test_what_cannot_be_a_token_is_always_refused_and_never_counted(
    anybody: httpx.Client, world: World, text: str
):
    with counted(world) as said:
        answers = [call(anybody, text).status_code for _ in range(10)]

    assert (answers, said) == ([401] * 10, [])
    assert call(anybody, unknown()).status_code == 401


def test_a_token_that_works_no_more_is_refused_at_once_though_it_was_good_a_moment_ago(
    anybody: httpx.Client, world: World
):
    account, token = world.create()
    call(anybody, token)
    tokens.revoke_all(world.runtime, world.admin, account.id)

    assert call(anybody, token).json()["message"].endswith("revoked.")


def test_a_consumer_that_keeps_an_old_token_is_limited_alone(anybody: httpx.Client, world: World):
    account, old = world.create()
    _, neighbours = world.create("other-bot")
    tokens.revoke_all(world.runtime, world.admin, account.id)

    answers = [call(anybody, old).status_code for _ in range(ALLOWED + 2)]

    assert answers == [401, 401, 401, 429, 429]
    assert call(anybody, neighbours).status_code == 200
    assert call(anybody, unknown()).status_code == 401


def test_a_prefix_is_limited_whatever_address_it_comes_from(
    behind_proxy: tuple[httpx.Client, World],
):
    http, _ = behind_proxy
    token = unknown()

    answers = [call(http, token, f"203.0.113.{n}").status_code for n in range(ALLOWED + 2)]

    assert answers == [401, 401, 401, 429, 429]
    assert call(http, unknown(), "203.0.113.1").status_code == 401


def test_behind_a_trusted_proxy_each_client_has_a_limit_of_its_own(
    behind_proxy: tuple[httpx.Client, World],
):
    http, _ = behind_proxy

    assert statuses(http, ALLOWED + 1, "203.0.113.1") == [401, 401, 401, 429]
    assert statuses(http, ALLOWED + 1, "203.0.113.2") == [401, 401, 401, 429]


def test_a_client_cannot_write_itself_another_address(behind_proxy: tuple[httpx.Client, World]):
    http, _ = behind_proxy

    answers = [statuses(http, 1, f"198.51.100.{n}, 203.0.113.1")[0] for n in range(ALLOWED + 1)]

    assert answers == [401, 401, 401, 429]


def test_without_a_trusted_proxy_nobody_can_write_itself_an_address(anybody: httpx.Client):
    answers = [statuses(anybody, 1, f"203.0.113.{n}")[0] for n in range(ALLOWED + 1)]

    assert answers == [401, 401, 401, 429]


def test_one_customers_addresses_of_ipv6_count_as_one(behind_proxy: tuple[httpx.Client, World]):
    http, _ = behind_proxy

    answers = [statuses(http, 1, f"2001:db8:1:2::{n}")[0] for n in range(ALLOWED + 1)]

    assert answers == [401, 401, 401, 429]


def test_verify_is_not_limited_where_all_clients_share_a_gateways_address(anybody: httpx.Client):
    assert statuses(anybody, 10, path=VERIFY) == [401] * 10


def test_verify_is_limited_by_client_behind_a_trusted_proxy(
    behind_proxy: tuple[httpx.Client, World],
):
    http, world = behind_proxy
    account, token = world.create()

    assert statuses(http, ALLOWED + 1, "203.0.113.1", VERIFY) == [401, 401, 401, 429]
    assert call(http, token, "203.0.113.2", VERIFY).status_code == 200
    tokens.revoke_all(world.runtime, world.admin, account.id)
    again = [call(http, token, "203.0.113.2", VERIFY).json()["code"] for _ in range(10)]
    assert again == ["revoked"] * 10


def test_the_audit_log_names_the_client_and_not_the_proxy(
    behind_proxy: tuple[httpx.Client, World],
):
    http, world = behind_proxy
    _, token = world.create("root", permissions=[ADMIN.model_dump()])

    http.put(
        CALL,
        json={"manifest": {"type": "virtual-account", "name": "ci-bot"}},
        headers={
            "Authorization": f"Bearer {token.reveal()}",
            "X-Forwarded-For": "1.2.3.4, 203.0.113.9",
        },
    ).raise_for_status()

    [row] = world.rows(AuditRow, AuditRow.subject_name == "ci-bot")
    assert row.actor["address"] == "203.0.113.9"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("users/accept-invitation", lambda: {"token": mint(TokenKind.INVITATION).reveal()}),
        (
            "oauth2/token",
            lambda: {"tenantName": "acme", "deviceCode": mint(TokenKind.SESSION).reveal()},
        ),
    ],
)
def test_guesses_of_one_time_links_and_codes_are_failed_logins(anybody, world, path, asked):
    answered = [
        anybody.post(f"/api/svc/v1/{path}", json=asked()).status_code for _ in range(ALLOWED + 1)
    ]
    world.clock.pass_(seconds=60)

    assert answered == [422] * ALLOWED + [429]
    assert anybody.post(f"/api/svc/v1/{path}", json=asked()).status_code == 422


def test_logins_that_anybody_may_begin_are_limited_per_address(anybody, world):
    begin = "/api/svc/v1/oauth2/device-authorize"
    asked = {"tenantName": "acme"}

    answered = [anybody.post(begin, json=asked).status_code for _ in range(ALLOWED + 1)]
    world.clock.pass_(seconds=60)

    assert answered == [200] * ALLOWED + [429]
    assert anybody.post(begin, json=asked).status_code == 200
