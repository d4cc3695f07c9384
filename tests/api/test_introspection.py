"""RFC 7662: whether a token that is sent in a form is active."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.actors import Actor
from core.tokens import TokenKind, mint
from services.access import roles
from services.accounts.accounts import put_account
from services.engine import tokens
from services.operation.bootstrap import ensure_tenant
from tests.api.gateways import INTROSPECT, Gateway, gateway
from tests.support.persons import person
from tests.support.serving import Stage
from tests.support.world import LIMITS, World

GATEWAY = {
    "name": "gateway",
    "display_name": "Gateway",
    "description": "Asks about tokens",
    "resource_type": "account",
    "permissions": ["virtual-account:read"],
}


@pytest.fixture
def asking(world: World, stage: tuple[Stage, str]) -> Iterator[Gateway]:
    with gateway(world, stage) as made:
        yield made


@pytest.fixture
def caller(world: World) -> str:
    """The token of a gateway with just the permission that it needs."""
    roles.put_role(world.runtime, world.admin, GATEWAY)
    held = {"resource_type": "account", "resource_fqn": "acme", "role_id": "gateway"}
    return world.create("gateway", permissions=[held])[1].reveal()


def ask(asking: Gateway, caller: str | None, token: str, **more: str) -> httpx.Response:
    return asking.ask(INTROSPECT, caller, "POST", data={"token": token, **more})


def test_a_machines_token_is_active(asking: Gateway, world: World, caller: str):
    account, token = world.create(expiration_date="2026-12-31")

    answer = ask(asking, caller, token.reveal(), token_type_hint="access_token")

    token_id = str(world.current(account).id)
    assert answer.status_code == 200
    assert answer.json() == {
        "active": True,
        "token_type": "Bearer",
        "iss": "http://127.0.0.1:8400",
        "sub": str(account.id),
        "client_id": "ci-bot",
        "jti": token_id,
        "exp": 1798761600,
        "tenant": "acme",
        "subject": {"type": "virtualaccount", "id": str(account.id), "name": "ci-bot"},
        "tokenId": token_id,
        "generation": 1,
        "state": "current",
        "expiresAt": "2027-01-01T00:00:00Z",
    }


def test_a_persons_token_has_a_user_name_and_may_have_no_end(
    asking: Gateway, world: World, caller: str
):
    said = ask(asking, caller, person(world).token).json()

    assert (said["active"], said["username"]) == (True, "ann@example.com")
    assert "exp" not in said


@pytest.mark.parametrize(
    "asked",
    ["x", "tfy_vat_short", mint(TokenKind.PERSONAL).reveal(), "ö"],
    ids=["garbage", "short", "unknown", "foreign"],
)
def test_whatever_else_it_is_it_is_not_active(asking: Gateway, caller: str, asked: str):
    answer = ask(asking, caller, asked)

    assert (answer.status_code, answer.json()) == (200, {"active": False})


def test_a_revoked_token_is_not_active(asking: Gateway, world: World, caller: str):
    account, token = world.create()
    ask(asking, caller, token.reveal())

    tokens.revoke_all(world.runtime, world.admin, account.id)
    asking.hear()

    assert ask(asking, caller, token.reveal()).json() == {"active": False}


@pytest.mark.law(12)
def test_another_tenants_token_is_not_active(asking: Gateway, world: World, caller: str):
    tenant_id = ensure_tenant(
        world.runtime, "umbrella", limits=LIMITS, admin_email="admin@umbrella.example"
    )
    given = {"type": "virtual-account", "name": "theirs"}
    theirs = put_account(world.runtime, Actor.operator(tenant_id, "neighbour"), given).token
    assert theirs is not None

    assert ask(asking, caller, theirs.reveal()).json() == {"active": False}


def test_who_asks_needs_a_permission(asking: Gateway, world: World, tmp_path: Path):
    _, token = world.create()

    answer = ask(asking, token.reveal(), token.reveal())

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["message"] == "This needs virtual-account:read on the tenant."


def test_who_asks_needs_a_good_token(asking: Gateway, world: World):
    _, token = world.create()

    nobody = ask(asking, None, token.reveal())
    unknown = ask(asking, mint(TokenKind.PERSONAL).reveal(), token.reveal())

    assert [one.status_code for one in (nobody, unknown)] == [401, 401]
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    assert unknown.json()["message"] == "This call needs a valid bearer token: unknown."


@pytest.mark.parametrize(
    "form", [b"", b"token=", b"token=a&token=b", b"tokens=a", b'{"token": "a"}', b"\xff\xfe"]
)
def test_a_form_without_one_token_is_refused(asking: Gateway, caller: str, form: bytes):
    answer = asking.ask(INTROSPECT, caller, "POST", content=form)

    assert (answer.status_code, answer.json()["details"]) == (422, [{"field": "token"}])


def test_a_form_that_is_too_long_is_not_read(asking: Gateway, caller: str):
    answer = asking.ask(INTROSPECT, caller, "POST", content=b"token=" + b"x" * 20_000)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.law(9)
def test_no_answer_holds_a_token(asking: Gateway, world: World, caller: str):
    _, token = world.create()

    answer = ask(asking, caller, token.reveal())

    assert token.reveal() not in f"{answer.text}{answer.headers}"
    assert caller not in f"{answer.text}{answer.headers}"
