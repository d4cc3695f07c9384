"""A token that is asked from Keyturn's API, and what follows a 401."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from keyturn_client import BearerAuth, TokenSource, TokenUnavailable
from truefoundry_sdk import AsyncTrueFoundry, TrueFoundry

from services.engine import tokens as by_hand
from tests.api.calls import ADMIN
from tests.support.http_double import Answer, HttpDouble
from tests.support.world import HOURLY


@pytest.fixture
def account(world):
    return world.create("ci-bot", auto_rotate=HOURLY)


def rotated(world, account):
    return by_hand.rotate_account(world.runtime, world.admin, account.id).reveal()


def revoked(world, account):
    """A new token at once: the old one is refused from now on."""
    return by_hand.regenerate_token(
        world.runtime, world.admin, account.id, grace=timedelta(0)
    ).reveal()


def test_the_current_token_is_asked_from_keyturn(server, world, account, admin_token):
    row, token = account
    source = TokenSource.from_keyturn(f"{server}/", str(row.id), bearer=admin_token)
    before = source()
    new = rotated(world, row)
    kept = source()

    assert (before, kept, source.refresh()) == (token.reveal(), token.reveal(), new)
    assert repr(source) == f"TokenSource(Keyturn {server}, account {row.id})"


def test_the_bearer_may_be_another_source(server, account, admin_token, tmp_path):
    file = tmp_path / "admin"
    file.write_text(admin_token)
    row, token = account

    by_callable = TokenSource.from_keyturn(server, str(row.id), bearer=TokenSource.from_file(file))
    by_file = TokenSource.from_keyturn(server, str(row.id), bearer_file=file)

    assert by_callable() == by_file() == token.reveal()


def test_an_account_that_may_read_itself_renews_itself_for_ever(server, world, admin_token):
    row, token = world.create(
        "ci-bot",
        auto_rotate=HOURLY,
        permissions=[ADMIN.model_dump(exclude_none=True)],
    )
    last = [token.reveal()]
    source = TokenSource.from_keyturn(server, str(row.id), bearer=lambda: last[-1])
    for _ in range(5):
        rotated(world, row)
        last.append(source.refresh())
        world.clock.pass_(minutes=11)
        world.expire()

    assert len(set(last)) == 6
    assert source.refresh() == last[-1]


@pytest.mark.parametrize(
    ("account_id", "bearer", "why"),
    [
        ("01a2098a-07c4-7e82-8e5d-95a3c35dbaa4", None, "there is no such secret or account (404)"),
        (None, "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXv", "it is cut off"),
        (None, "nobody-s", "it does not take our credentials (401)"),
    ],
)
def test_a_refusal_is_said_and_quotes_nothing(
    server, account, admin_token, account_id, bearer, why
):
    source = TokenSource.from_keyturn(
        server, account_id or str(account[0].id), bearer=bearer or admin_token
    )

    with pytest.raises(TokenUnavailable) as refused:
        source()

    assert why in str(refused.value)
    assert admin_token not in str(refused.value)


@pytest.mark.parametrize("account_id", ["", "a/b", "..", "a?b"])
def test_an_id_that_is_none_is_refused(account_id):
    with pytest.raises(ValueError, match="account's id"):
        TokenSource.from_keyturn("https://keys.example.com", account_id, bearer="x")


def test_the_sdk_follows_a_rotation(server, world, account, admin_token, tmp_path):
    file = tmp_path / "token"
    file.write_text(account[1].reveal())
    with httpx.Client() as connections:
        client = TrueFoundry(
            base_url=server, api_key=TokenSource.from_file(file), httpx_client=connections
        )
        client.virtual_accounts.list(limit=1)
        file.write_text(revoked(world, account[0]))

        client.virtual_accounts.list(limit=1)


def test_the_sdk_with_bearer_auth_loses_no_call_to_a_token_that_ended_at_once(
    server, world, account, admin_token
):
    source = TokenSource.from_keyturn(server, str(account[0].id), bearer=admin_token)
    with httpx.Client(auth=BearerAuth(source)) as connections:
        client = TrueFoundry(base_url=server, api_key=source, httpx_client=connections)
        for _ in range(3):
            client.virtual_accounts.list(limit=1)
            new = revoked(world, account[0])

        client.virtual_accounts.list(limit=1)

    assert source() == new


def test_the_asynchronous_sdk_loses_none_either(server, world, account, admin_token):
    source = TokenSource.from_keyturn(server, str(account[0].id), bearer=admin_token)

    async def calls() -> None:
        async with httpx.AsyncClient(auth=BearerAuth(source)) as connections:
            client = AsyncTrueFoundry(base_url=server, api_key=source, httpx_client=connections)
            await client.virtual_accounts.list(limit=1)
            await asyncio.to_thread(revoked, world, account[0])
            await client.virtual_accounts.list(limit=1)

    asyncio.run(calls())


class Refusing(HttpDouble):
    """Answers 401 to whoever does not bear the good token."""

    good = ""

    def answer(self, request):
        bears = request.headers.get("Authorization") == f"Bearer {self.good}"
        return Answer.of({"heard": request.body.decode()}, 200 if bears else 401)


class Turned:
    """A place of one's own, which holds the next token at every look."""

    interval = pause = 60.0

    def __init__(self, *tokens):
        self.tokens = list(tokens)

    def fetch(self, *, anew):
        return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]


@pytest.fixture
def refusing(tokens):
    with Refusing() as double:
        double.good = tokens[1]
        yield double


def test_a_call_that_got_401_is_sent_again_whole_with_the_newer_token(refusing, tokens):
    source = TokenSource(Turned(*tokens[:2]))

    with httpx.Client(auth=BearerAuth(source)) as client:
        answer = client.post(refusing.url, content="body")

    assert (answer.status_code, answer.json()) == (200, {"heard": "body"})
    assert len(refusing.requests) == 2


def test_a_body_that_cannot_be_sent_again_is_sent_once(refusing, tokens):
    source = TokenSource(Turned(*tokens[:2]))

    with httpx.Client(auth=BearerAuth(source)) as client:
        first = client.post(refusing.url, content=iter([b"bo", b"dy"]))
    source.invalidate(tokens[0])
    with httpx.Client(auth=BearerAuth(source)) as client:  # the double reads no chunks
        second = client.post(refusing.url, content="body")

    assert (first.status_code, second.status_code) == (401, 200)
    assert len(refusing.requests) == 2


def test_a_401_that_no_newer_token_cures_is_answered_after_one_call(refusing, tokens):
    source = TokenSource(Turned(tokens[0]))

    with httpx.Client(auth=BearerAuth(source)) as client:
        answer = client.get(refusing.url)

    assert answer.status_code == 401
    assert len(refusing.requests) == 1
