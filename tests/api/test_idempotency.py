"""A call that mints, repeated under its Idempotency-Key, gets its first answer."""

import threading
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from truefoundry_sdk import TrueFoundry

from core.tokens import Token
from models import AuditRow, KeptAnswer, VirtualAccount
from services.operation import housekeeping
from tests.api.calls import ADMIN, put
from tests.support.world import World


def regenerate(
    http: httpx.Client, account_id: str, key: str | None = "first", **more: Any
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return http.post(
        f"/api/svc/v1/virtual-accounts/{account_id}/regenerate-token",
        json={"gracePeriodInMinutes": 30, **more},
        headers=headers,
    )


def generation(world: World, account_id: str) -> int:
    [account] = world.rows(VirtualAccount, VirtualAccount.id == UUID(account_id))
    return int(account.generation)


def test_a_repeat_gets_the_first_answer_and_mints_nothing(
    client: TrueFoundry, http: httpx.Client, world: World
):
    account = put(client)

    first = regenerate(http, account.id)
    world.clock.pass_(hours=23)
    second = regenerate(http, account.id)

    assert first.status_code == second.status_code == 200
    assert first.text == second.text
    assert generation(world, account.id) == 2
    assert len(world.rows(AuditRow, AuditRow.action == "token.regenerated")) == 1
    assert world.works(Token(second.json()["token"]))


def test_the_public_sdk_sends_the_key_as_a_header(client: TrueFoundry, world: World):
    account = put(client)
    options: Any = {"additional_headers": {"Idempotency-Key": "first"}}

    answers = {
        client.virtual_accounts.regenerate_token(
            account.id, grace_period_in_minutes=30, request_options=options
        ).token
        for _ in range(2)
    }

    assert len(answers) == 1
    assert generation(world, account.id) == 2


def test_without_a_key_a_repeat_mints_again(client: TrueFoundry, http: httpx.Client, world: World):
    account = put(client)

    answers = {regenerate(http, account.id, None).text for _ in range(2)}

    assert len(answers) == 2
    assert generation(world, account.id) == 3


def test_the_same_key_with_another_body_is_refused(
    client: TrueFoundry, http: httpx.Client, world: World
):
    account = put(client)
    regenerate(http, account.id)

    other = regenerate(http, account.id, gracePeriodInMinutes=5)

    assert other.status_code == 422
    assert other.json()["details"] == [{"field": "Idempotency-Key"}]
    assert generation(world, account.id) == 2


def test_a_key_counts_for_one_call_of_one_caller(
    client: TrueFoundry, http: httpx.Client, server: str, world: World
):
    account, other = put(client), put(client, "other")
    _, second_admin = world.create("second-admin", permissions=[ADMIN.model_dump()])

    first = regenerate(http, account.id)
    elsewhere = regenerate(http, other.id)
    with httpx.Client(base_url=server, timeout=30) as somebody:
        somebody.headers["Authorization"] = f"Bearer {second_admin.reveal()}"
        by_another = regenerate(somebody, account.id)

    assert len({first.text, elsewhere.text, by_another.text}) == 3


def test_a_key_is_forgotten_after_a_day(client: TrueFoundry, http: httpx.Client, world: World):
    account = put(client)
    first = regenerate(http, account.id)

    world.clock.pass_(hours=24)
    second = regenerate(http, account.id)

    assert second.status_code == 200
    assert first.text != second.text


def test_an_answer_is_kept_sealed_and_pruned_after_a_day(
    client: TrueFoundry, http: httpx.Client, world: World
):
    account = put(client)
    token = regenerate(http, account.id).json()["token"]
    [kept] = world.rows(KeptAnswer)

    world.clock.pass_(hours=23)
    housekeeping.prune(world.runtime)
    kept_through_the_day = world.rows(KeptAnswer)
    world.clock.pass_(hours=1)
    housekeeping.prune(world.runtime)

    assert token.encode() not in kept.sealed
    assert len(kept_through_the_day) == 1
    assert world.rows(KeptAnswer) == []


def test_a_refused_call_leaves_its_key_unused(
    client: TrueFoundry, http: httpx.Client, world: World
):
    account = put(client, expiration_date="2026-03-02")
    world.clock.pass_(days=1)
    refused = regenerate(http, account.id)
    put(client)

    again = regenerate(http, account.id)

    assert (refused.status_code, again.status_code) == (409, 200)


def test_a_repeat_needs_the_permission_that_the_first_call_needed(
    client: TrueFoundry, http: httpx.Client, server: str, world: World
):
    account = put(client)
    _, token = world.create("helper", permissions=[ADMIN.model_dump()])
    with httpx.Client(base_url=server, timeout=30) as somebody:
        somebody.headers["Authorization"] = f"Bearer {token.reveal()}"
        first = regenerate(somebody, account.id)
        reader = {"resource_fqn": "acme", "resource_type": "account", "role_id": "account-viewer"}
        world.put("helper", permissions=[reader])
        second = regenerate(somebody, account.id)

    assert (first.status_code, second.status_code) == (200, 403)


@pytest.mark.parametrize("key", ["", "x" * 201, "caf\xe9", "a\tb"])
def test_a_key_that_is_none_is_refused(client: TrueFoundry, http: httpx.Client, key: str):
    account = put(client)

    answer = http.post(
        f"/api/svc/v1/virtual-accounts/{account.id}/regenerate-token",
        json={"gracePeriodInMinutes": 30},
        headers=[(b"Idempotency-Key", key.encode("latin-1"))],
    )

    assert answer.status_code == 422
    assert answer.json()["message"].startswith("Idempotency-Key: ")


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_of_two_calls_at_the_same_time_one_mints_and_both_get_its_answer(
    client: TrueFoundry, http: httpx.Client, world: World
):
    account = put(client)
    ready = threading.Barrier(4)
    answers: list[httpx.Response] = []

    def call() -> None:
        ready.wait(10)
        answers.append(regenerate(http, account.id))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1
    assert generation(world, account.id) == 2


@pytest.mark.law(3)
@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_the_answer_is_written_in_the_transaction_that_mints(
    client: TrueFoundry, http: httpx.Client, world: World
):
    account = put(client)
    regenerate(http, account.id)

    with world.runtime.database.reading() as session:
        written = session.execute(
            text(
                "SELECT kept_answers.xmin::text, tokens.xmin::text FROM kept_answers, tokens"
                " WHERE tokens.generation = 2"
            )
        ).one()

    assert written[0] == written[1]
