"""The audit log by HTTP."""

import json
from itertools import chain
from typing import Any

import httpx
import pytest
from sqlalchemy import event, update
from truefoundry_sdk import TrueFoundry

from models import AuditRow
from services.audit.audit_chain import chain_due
from services.engine import tokens
from services.operation.bootstrap import ensure_tenant
from tests.api.calls import READER, put
from tests.support.world import LIMITS, World

AUDIT = "/api/v1/audit"
BOTH = pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)


def listed(http: httpx.Client, **params: Any) -> dict[str, Any]:
    answer = http.get(AUDIT, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def actions(http: httpx.Client, **params: Any) -> list[tuple[str, str]]:
    return [(row["action"], row["subjectName"]) for row in listed(http, **params)["data"]]


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


@BOTH
def test_what_was_done_is_listed_the_newest_first(
    http: httpx.Client, client: TrueFoundry, world: World
):
    account = put(client, "ci-bot")
    chain_due(world.runtime)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    newest, older = listed(http, limit=2)["data"]

    assert (newest["action"], newest["number"], newest["hash"]) == ("token.manual", None, None)
    assert older["action"] == "virtual-account.created"
    assert older["number"] >= 1
    assert len(older["hash"]) == 64
    assert older["subjectType"] == "virtual-account"
    assert (older["subjectId"], older["subjectName"]) == (account.id, "ci-bot")
    assert (older["actor"]["kind"], older["actor"]["name"]) == ("virtualaccount", "keyturn-admin")
    assert older["at"] == "2026-03-02T09:00:00.000000Z"


@BOTH
def test_rows_are_filtered_by_action_subject_actor_and_time(
    http: httpx.Client, client: TrueFoundry, world: World
):
    one = put(client, "one")
    world.clock.pass_(hours=1)
    put(client, "two")
    world.clock.pass_(hours=1)
    tokens.rotate_account(world.runtime, world.admin, one.id)

    created, rotated = ("virtual-account.created", "one"), ("token.manual", "one")
    second = ("virtual-account.created", "two")
    assert actions(http, action="token.manual") == [rotated]
    assert actions(http, action="virtual-account")[:2] == [second, created]
    assert actions(http, action="virtual") == []
    for subject in ("one", one.id, "virtual-account:one"):
        assert actions(http, subject=subject) == [rotated, created]
    for actor in ("tester", "operator:tester"):
        assert actions(http, actor=actor) == [rotated]
    assert actions(http, actor="virtualaccount:keyturn-admin") == [second, created]
    assert actions(http, since="2026-03-02T10:00:00Z") == [rotated, second]
    assert actions(http, since="2026-03-02T11:00:00+01:00", until="2026-03-02T11:00:00Z") == [
        second
    ]
    assert actions(http, subject="one", actor="nobody") == []


@BOTH
def test_pages_follow_each_other_by_offset_and_by_number(
    http: httpx.Client, client: TrueFoundry, world: World
):
    for number in range(5):
        put(client, f"bot-{number}")
    chain_due(world.runtime)
    whole = listed(http)
    numbers = [row["number"] for row in whole["data"]]

    by_offset = [listed(http, limit=2, offset=n)["data"] for n in range(0, len(numbers), 2)]
    by_number, after = [], None
    while page := listed(http, limit=2, **({"after": after} if after else {}))["data"]:
        by_number.append(page)
        after = page[-1]["number"]

    assert numbers == sorted(numbers, reverse=True)
    assert [*chain(*by_offset)] == [*chain(*by_number)] == whole["data"]
    assert whole["pagination"] == {"total": len(numbers), "offset": 0, "limit": 100}


@BOTH
def test_the_export_is_the_whole_chain_the_oldest_first_as_json_lines(
    http: httpx.Client, client: TrueFoundry, world: World
):
    for number in range(3):
        put(client, f"bot-{number}")

    answer = http.get(f"{AUDIT}/export")
    rows = lines(answer)
    later = lines(http.get(f"{AUDIT}/export", params={"after": rows[-2]["number"]}))
    filtered = lines(http.get(f"{AUDIT}/export", params={"subject": "bot-1"}))

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows == listed(http)["data"][::-1]
    assert later == rows[-1:]
    assert [row["subjectName"] for row in filtered] == ["bot-1"]


@BOTH
def test_verifying_says_that_the_chain_is_whole_or_which_row_is_not(
    http: httpx.Client, client: TrueFoundry, world: World
):
    for number in range(3):
        put(client, f"bot-{number}")
    chain_due(world.runtime)
    put(client, "later")

    whole = http.get(f"{AUDIT}/verify").json()
    with world.runtime.database.writing() as session:
        session.execute(update(AuditRow).where(AuditRow.number == 2).values(subject_name="x"))
    broken = http.get(f"{AUDIT}/verify").json()

    assert whole["ok"] is True
    assert whole["checked"] == whole["head"]["number"] >= 3
    assert (whole["unchained"], whole["problem"], whole["number"]) == (1, None, None)
    assert (broken["ok"], broken["problem"], broken["number"]) == (False, "changed", 2)
    assert broken["message"] == "Row 2 is not what was chained."


@pytest.mark.parametrize("path", ["", "/export", "/verify"])
def test_only_an_admin_reads_the_audit_log(
    anybody: httpx.Client, client: TrueFoundry, world: World, path: str
):
    account = put(client, "reader", permissions=[READER])
    token = client.virtual_accounts.get_token(account.id).token

    refused = anybody.get(AUDIT + path, headers={"Authorization": f"Bearer {token}"})
    unknown = anybody.get(AUDIT + path)

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert unknown.status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"after": -1},
        {"after": 2**63},
        {"since": "yesterday"},
        {"since": "2026-03-02T09:00:00"},
        {"action": "a\x00b"},
        {"subject": "x" * 400},
    ],
)
def test_a_query_that_is_not_allowed_is_refused_by_name(http: httpx.Client, query: dict[str, Any]):
    answer = http.get(AUDIT, params=query)

    assert answer.status_code == 422
    assert answer.json()["details"][0]["field"] == next(iter(query))


@BOTH
@pytest.mark.parametrize(
    "query",
    [
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
        {"after": 2**63 - 1},
        {"subject": "%", "actor": "'", "action": "_"},
        {"subject": "é:ü"},
    ],
)
def test_queries_at_the_edge_are_answered(http: httpx.Client, world: World, query: dict[str, Any]):
    assert http.get(AUDIT, params=query).status_code == 200
    assert http.get(f"{AUDIT}/export", params=query).status_code == 200


def test_a_page_takes_as_many_queries_whatever_its_size(http: httpx.Client, world: World):
    for number in range(20):
        world.create(f"bot-{number:02}")
    asked: list[str] = []
    event.listen(
        world.runtime.database.engine,
        "before_cursor_execute",
        lambda *given: asked.append(given[2]),
    )

    counts = []
    for limit in (1, 20):
        asked.clear()
        listed(http, limit=limit)
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_a_tenant_sees_its_own_rows_only(http: httpx.Client, world: World):
    world.create("ours")
    theirs = World(
        world.runtime,
        world.clock,
        ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@umbrella.test"),
        world.folder,
    )
    theirs.create("theirs")
    chain_due(world.runtime)

    names = {row["subjectName"] for row in listed(http)["data"]}
    exported = {row["subjectName"] for row in lines(http.get(f"{AUDIT}/export"))}

    assert "ours" in names & exported
    assert "theirs" not in names | exported
