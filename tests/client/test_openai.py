"""OpenAI's own SDK through rotations: every call is verified by Keyturn, and none is lost."""

import asyncio
import json
import threading
from datetime import timedelta
from typing import Any

import httpx
import httpx2
import pytest
from keyturn_client import TokenSource
from openai import AsyncOpenAI, AuthenticationError, OpenAI

from services.engine import tokens as by_hand
from tests.support.http_double import Answer, HttpDouble, Request
from tests.support.waiting import eventually
from tests.support.world import HOURLY, stored

ROTATIONS = 20


class Gateway(HttpDouble):
    """An upstream with OpenAI's API, which asks Keyturn about the bearer of every call."""

    def __init__(self, keyturn: str) -> None:
        super().__init__()
        self.keyturn = httpx.Client(base_url=keyturn)
        self.answered: list[int] = []
        self.generations: list[int] = []

    def answer(self, request: Request) -> Answer:
        bearer = {"Authorization": request.headers.get("Authorization", "")}
        verdict = self.keyturn.get("/api/v1/verify", headers=bearer)
        self.answered.append(verdict.status_code)
        if verdict.status_code != 200:
            return Answer.of({"error": {"message": verdict.json()["code"]}}, verdict.status_code)
        self.generations.append(verdict.json()["generation"])
        return Answer.of(completion(json.loads(request.body)))


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    said = {"role": "assistant", "content": asked["messages"][0]["content"]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": said}],
    }


@pytest.fixture
def gateway(server):
    with Gateway(server) as double, double.keyturn:
        yield double


@pytest.fixture
def account(world):
    """An account whose token a file holds: the account, and the file."""
    place = stored(world.file_store())
    row, _ = world.create("ci-bot", auto_rotate=HOURLY, secret_store_configs=[place])
    world.drain()
    return row, world.folder / "ci" / "token"


def said(client: OpenAI, text: str) -> str | None:
    asked = client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    return asked.choices[0].message.content


def revoked_at_once(world, row):
    by_hand.regenerate_token(world.runtime, world.admin, row.id, grace=timedelta(0))


def test_a_running_client_loses_no_call_across_rotations(world, account, gateway):
    row, file = account
    stop, heard = threading.Event(), []
    client = OpenAI(
        base_url=f"{gateway.url}/v1", api_key=TokenSource.from_file(file), max_retries=0
    )

    def work() -> None:
        while not stop.is_set():
            heard.append(said(client, f"call {len(heard)}"))

    with client:
        thread = threading.Thread(target=work)
        thread.start()
        for generation in range(2, ROTATIONS + 2):
            by_hand.rotate_account(world.runtime, world.admin, row.id)
            calls = len(heard)
            eventually(lambda before=calls: len(heard) > before + 1)  # between mint and push
            world.drain()
            eventually(lambda wanted=generation: gateway.generations[-1] == wanted)
            world.clock.pass_(minutes=11)  # the old token's grace is over
            world.expire()
        stop.set()
        thread.join(10)

    assert heard == [f"call {number}" for number in range(len(heard))]
    assert set(gateway.answered) == {200}
    assert set(gateway.generations) == set(range(1, ROTATIONS + 2))


def test_without_the_hook_a_token_that_ended_at_once_costs_one_call(
    server, world, account, admin_token, gateway
):
    row, _ = account
    source = TokenSource.from_keyturn(server, str(row.id), bearer=admin_token)
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=source) as client:
        said(client, "first")
        revoked_at_once(world, row)
        with pytest.raises(AuthenticationError):
            said(client, "lost")
        source.invalidate()

        assert said(client, "again") == "again"


def test_with_the_hook_not_even_that_call_is_lost(server, world, account, admin_token, gateway):
    row, _ = account
    source = TokenSource.from_keyturn(server, str(row.id), bearer=admin_token)
    http = httpx2.Client(event_hooks={"response": [source.on_unauthorized]})
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=source, http_client=http) as client:
        said(client, "first")
        revoked_at_once(world, row)

        assert said(client, "second") == "second"
    assert gateway.answered == [200, 401, 200]


def test_an_account_whose_tokens_all_ended_gets_its_401_after_one_call(
    server, world, account, admin_token, gateway
):
    row, _ = account
    source = TokenSource.from_keyturn(server, str(row.id), bearer=admin_token)
    http = httpx2.Client(event_hooks={"response": [source.on_unauthorized]})
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=source, http_client=http) as client:
        said(client, "first")
        by_hand.revoke_all(world.runtime, world.admin, row.id)

        with pytest.raises(AuthenticationError):
            said(client, "second")
    assert gateway.answered == [200, 401]
    assert "the account has no valid token (409)" in (source.trouble or "")


def test_the_asynchronous_client_awaits_its_token_and_loses_none(
    server, world, account, admin_token, gateway
):
    row, _ = account
    source = TokenSource.from_keyturn(server, str(row.id), bearer=admin_token)

    async def calls() -> list[str | None]:
        http = httpx2.AsyncClient(event_hooks={"response": [source.async_on_unauthorized]})
        async with AsyncOpenAI(
            base_url=f"{gateway.url}/v1", api_key=source.async_token, http_client=http
        ) as client:
            heard = []
            for text in ("first", "second", "third"):
                asked = await client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": text}]
                )
                heard.append(asked.choices[0].message.content)
                await asyncio.to_thread(revoked_at_once, world, row)
        return heard

    assert asyncio.run(calls()) == ["first", "second", "third"]
    assert gateway.answered == [200, 401, 200, 401, 200]
