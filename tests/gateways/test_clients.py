"""Real clients through each gateway: answers, streams, refusals, and a rotation meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from keyturn_client import TokenSource
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from truefoundry_sdk import TrueFoundry
from truefoundry_sdk.core.api_error import ApiError

from core.tokens import Token, TokenKind, mint
from services.engine import tokens
from tests.gateways.upstream import WORDS
from tests.support.identity import Identity, trusted
from tests.support.issuer import SigningPair
from tests.support.jwts import issued
from tests.support.persons import person
from tests.support.waiting import eventually
from tests.support.world import HOURLY, World, stored

ROTATIONS = 5
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def identity(world: World) -> Iterator[Identity]:
    """An issuer whose JWTs the world takes."""
    with trusted(world) as made:
        yield made


@pytest.fixture(params=["PAT", "VAT", "in grace", "JWT", "mapped JWT"])
def good(request, world: World, identity: Identity) -> str:
    """A token that works."""
    if request.param == "PAT":
        return person(world).token
    if request.param == "JWT":
        return issued(world)[1].reveal()
    if request.param == "mapped JWT":
        identity.map()
        return identity.issuer.issue()
    account, token = world.create(auto_rotate=HOURLY)
    if request.param == "in grace":
        tokens.rotate_account(world.runtime, world.admin, account.id)
    return token.reveal()


@pytest.fixture(params=["unknown", "expired", "revoked", "forged JWT"])
def bad(request, world: World, identity: Identity) -> str:
    """A token that works no more, or never did."""
    if request.param == "unknown":
        return mint(TokenKind.VIRTUAL_ACCOUNT).reveal()
    if request.param == "forged JWT":
        identity.map()
        return SigningPair("key-1").sign(identity.issuer.claims())
    account, token = world.create(expiration_date="2026-03-03")
    if request.param == "revoked":
        tokens.revoke_all(world.runtime, world.admin, account.id)
    else:
        world.clock.pass_(days=3)
    return token.reveal()


def with_openai(gateway, key: Any, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, **more)


def said(client: openai.OpenAI) -> str | None:
    return client.chat.completions.create(**ASKED).choices[0].message.content


def test_openai_is_answered(gateway, keyturn, good):
    with with_openai(gateway, good) as client:
        assert said(client) == "hello"


def test_openai_hears_why_it_is_refused(gateway, keyturn, bad):
    with with_openai(gateway, bad) as client, pytest.raises(openai.AuthenticationError):
        said(client)


def test_openai_streams_word_by_word(gateway, keyturn, good, upstream):
    upstream.go_on.clear()
    with with_openai(gateway, good) as client:
        stream = client.chat.completions.create(**ASKED, stream=True)
        heard = [next(stream).choices[0].delta.content]
        upstream.go_on.set()  # the second word is not said before the first was heard
        heard += [chunk.choices[0].delta.content for chunk in stream]

    assert heard == WORDS


def test_openai_comes_back_when_it_was_told_to(gateway, keyturn, world, upstream):
    _, token = world.create()
    for _ in range(4):
        unknown = {"Authorization": f"Bearer {mint(TokenKind.VIRTUAL_ACCOUNT).reveal()}"}
        last = httpx.get(f"{gateway.url}/v1/models", headers=unknown)
    with (
        with_openai(gateway, token.reveal(), max_retries=0) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        said(client)

    assert last.status_code == 429
    assert int(caught.value.response.headers["Retry-After"]) > 0
    world.clock.pass_(seconds=61)
    with with_openai(gateway, token.reveal(), max_retries=0) as client:
        assert said(client) == "hello"


@pytest.mark.parametrize("way", ["api_key", "auth_token"])
def test_anthropic_is_answered_by_key_and_by_bearer_token(gateway, keyturn, good, way):
    with anthropic.Anthropic(base_url=gateway.url, **{way: good}) as client:
        answer = client.messages.create(**ASKED, max_tokens=9)

    assert answer.content[0].text == "hello"


def test_anthropic_hears_that_it_is_refused(gateway, keyturn, bad):
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key=bad) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.messages.create(**ASKED, max_tokens=9)


def test_anthropic_streams_word_by_word(gateway, keyturn, good, upstream):
    upstream.go_on.clear()
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key=good) as client,
        client.messages.stream(**ASKED, max_tokens=9) as stream,
    ):
        words = stream.text_stream
        heard = [next(words)]
        upstream.go_on.set()
        heard += list(words)

    assert heard == WORDS


def test_a_tool_is_called_by_mcp(gateway, keyturn, good):
    async def call(session: ClientSession) -> Any:
        return (await session.call_tool("add", {"a": 2, "b": 3})).structured_content

    assert by_mcp(gateway, good, call) == {"result": 5}


def test_mcp_hears_that_it_is_refused(gateway, keyturn, bad, upstream):
    async def call(session: ClientSession) -> Any:
        return await session.list_tools()

    with pytest.raises(ExceptionGroup):
        by_mcp(gateway, bad, call)
    assert upstream.seen == []


def by_mcp(gateway, token: str, call: Callable[[ClientSession], Any]) -> Any:
    async def connected() -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            streamable_http_client(f"{gateway.url}/mcp", http_client=http) as (read, write, *_),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await call(session)

    return asyncio.run(connected())


def test_the_references_sdk_is_answered(gateway, keyturn, good, upstream):
    with httpx.Client() as connections:
        client = TrueFoundry(base_url=gateway.url, api_key=good, httpx_client=connections)

        assert list(client.virtual_accounts.list()) == []
    assert upstream.seen[0][0] == "/api/svc/v1/virtual-accounts"


def test_the_references_sdk_hears_that_it_is_refused(gateway, keyturn, bad, upstream):
    with httpx.Client() as connections:
        client = TrueFoundry(base_url=gateway.url, api_key=bad, httpx_client=connections)
        with pytest.raises(ApiError) as caught:
            list(client.virtual_accounts.list())

    assert caught.value.status_code == 401
    assert upstream.seen == []


def test_a_running_client_loses_no_call_across_rotations(gateway, keyturn, world, upstream):
    place = stored(world.file_store())
    account, _ = world.create(auto_rotate=HOURLY, secret_store_configs=[place])
    world.drain()
    source = TokenSource.from_file(world.folder / "ci" / "token")
    stop, heard = threading.Event(), []

    def work() -> None:
        with with_openai(gateway, source, max_retries=0) as client:
            while not stop.is_set():
                heard.append(said(client))

    def generations() -> list[str]:
        return [headers["x-keyturn-generation"] for _, headers in list(upstream.seen)]

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for generation in range(2, ROTATIONS + 2):
            eventually(lambda wanted=generation: str(wanted - 1) in generations())
            tokens.rotate_account(world.runtime, world.admin, account.id)
            calls = len(heard)
            eventually(lambda before=calls: len(heard) > before + 1)  # between mint and push
            world.drain()
            eventually(lambda wanted=generation: generations()[-1] == str(wanted))
            world.clock.pass_(minutes=11)  # the old token's grace is over
            world.expire()
    finally:
        stop.set()
        thread.join(10)

    assert len(heard) == len(upstream.seen)
    assert set(heard) == {"hello"}
    assert set(generations()) == {str(number) for number in range(1, ROTATIONS + 2)}


def test_a_stream_under_way_goes_on_when_its_token_ends(gateway, keyturn, world, upstream):
    account, token = world.create()
    upstream.go_on.clear()
    with with_openai(gateway, token.reveal()) as client:
        stream = client.chat.completions.create(**ASKED, stream=True)
        heard = [next(stream).choices[0].delta.content]
        tokens.revoke_all(world.runtime, world.admin, account.id)
        upstream.go_on.set()
        heard += [chunk.choices[0].delta.content for chunk in stream]
        with pytest.raises(openai.AuthenticationError):
            said(client)

    assert heard == WORDS
    assert isinstance(token, Token)
