"""Lists of virtual accounts: pages, searches and trees of conditions, over the public SDK."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from truefoundry_sdk import AsyncTrueFoundry, TrueFoundry
from truefoundry_sdk.core.api_error import ApiError

from core.ids import new_id
from models import Team
from services.engine import tokens
from tests.api.calls import put
from tests.benchmarks.field import plant
from tests.support.world import World

PATH = "/api/svc/v1/virtual-accounts"


def leaf(column: str = "name", op: str = "STRING_CONTAINS", value: object = "bot", **more: Any):
    return {"column": column, "op": op, "value": value, **more}


def group(*children: object, together: str = "AND") -> dict[str, Any]:
    return {"type": together, "children": list(children)}


ALLOWED = (
    "EQUAL, NOT_EQUAL, EQUALS, EQ, IN, NOT_IN, "
    "STRING_CONTAINS, STRING_NOT_CONTAINS, STRING_STARTS_WITH, STRING_ENDS_WITH"
)
TREES: list[tuple[object, list[str]]] = [
    (leaf(), ["ci-bot"]),
    (leaf(value="CI-"), ["ci-bot", "ci-runner"]),
    (leaf(op="STRING_STARTS_WITH", value="ci"), ["ci-bot", "ci-runner"]),
    (leaf(op="STRING_ENDS_WITH", value="ploy"), ["deploy"]),
    (leaf(op="STRING_NOT_CONTAINS", value="ci-"), ["deploy"]),
    (leaf(op="EQUAL", value="deploy"), ["deploy"]),
    (leaf(op="EQUALS", value="deploy"), ["deploy"]),
    (leaf(op="EQ", value="DEPLOY"), []),
    (leaf(op="IN", value=["deploy", "ci-bot"]), ["ci-bot", "deploy"]),
    (leaf(op="NOT_IN", value=["deploy", "ci-bot"]), ["ci-runner"]),
    (leaf(value="%"), []),
    (group(leaf(value="ci-"), leaf(value="run")), ["ci-runner"]),
    (group(leaf(), leaf(value="ploy"), together="OR"), ["ci-bot", "deploy"]),
    (
        group(leaf(value="ci-"), group(leaf(), leaf(value="ploy"), together="OR")),
        ["ci-bot"],
    ),
    (leaf("createdAt", "GREATER_THAN", "2026-03-02T10:00:00Z"), ["deploy"]),
    (leaf("createdAt", "LESS_THAN_EQUAL", "2026-03-02T10:00:00Z"), ["ci-bot", "ci-runner"]),
    (leaf("manifest.tags", "EQUAL", "Platform", key="team"), ["ci-bot"]),
    (leaf("manifest.tags", "EQUAL", "platform", key="team"), []),
    (leaf("manifest.tags", "STRING_CONTAINS", "PLAT", key="team"), ["ci-bot"]),
    (leaf("manifest.tags", "NOT_EQUAL", "data", key="team"), ["ci-bot", "deploy"]),
    (leaf("manifest.tags", "IN", ["data", "web"], key="team"), ["ci-runner"]),
    ({"column": "manifest.tags", "key": "stage", "op": "PRESENT"}, ["ci-bot"]),
    (
        {"column": "manifest.tags", "key": "stage", "op": "IS_NULL"},
        ["ci-runner", "deploy"],
    ),
    (leaf("manifest.tags", "EQUAL", "x", key="it's, {a} key'"), []),
]
REFUSALS: list[tuple[object, str]] = [
    ("{", "filter: give a JSON object"),
    ("[" * 8_000, "filter: give a JSON object"),
    ([], "filter: give an object with type and children, or column and op"),
    ({}, "filter.type: give one of AND, OR"),
    ({"type": ["AND"], "children": []}, "filter.type: give one of AND, OR"),
    ({"type": "NOT", "children": [leaf()]}, "filter.type: give one of AND, OR"),
    (group(), "filter.children: give a list of conditions or groups"),
    (group("x"), "filter.children.0: give an object with type and children, or column and op"),
    (
        group(leaf(op="LIKE")),
        f"filter.children.0.op: give one of {ALLOWED}",
    ),
    (
        group(leaf(op=["EQ"])),
        f"filter.children.0.op: give one of {ALLOWED}",
    ),
    (
        group(leaf(), leaf("sealed")),
        "filter.children.1.column: give one of name, createdAt, manifest.tags",
    ),
    (leaf(value=7), "filter.value: give a text of at most 320 characters"),
    (leaf(value="a\0b"), "filter.value: give a text of at most 320 characters"),
    (leaf(op="IN", value="deploy"), "filter.value: give a list of 1 to 100 texts"),
    (leaf(op="IN", value=[1]), "filter.value.0: give a text of at most 320 characters"),
    (
        leaf("createdAt", "LESS_THAN", "soon"),
        "filter.value: give a moment like 2026-03-02T09:00:00Z",
    ),
    (
        leaf("createdAt", "EQUAL", "2026-03-02T09:00:00Z"),
        "filter.op: give one of GREATER_THAN, GREATER_THAN_EQUAL, LESS_THAN, LESS_THAN_EQUAL",
    ),
    (leaf("manifest.tags", "EQUAL", "x"), "filter.key: give the name of a tag"),
    (leaf("manifest.tags", "EQUAL", "x", key='a"b'), "filter.key: give the name of a tag"),
    (leaf(colour="red"), "filter: give nothing but column, op, type, value"),
    (group(*[leaf()] * 51), "filter: give at most 50 conditions"),
    (
        group(group(group(group(group(leaf()))))),
        "filter.children.0.children.0.children.0.children.0: give at most 5 levels",
    ),
]


def names(client: TrueFoundry, **asked: Any) -> list[str]:
    found = [account.manifest.name for account in client.virtual_accounts.list(**asked)]
    return [name for name in found if name != "keyturn-admin"]


def filtered(client: TrueFoundry, tree: object) -> list[str]:
    return names(client, filter=json.dumps(tree))


def refused(client: TrueFoundry, tree: object) -> str:
    """How this tree is refused."""
    text = tree if isinstance(tree, str) else json.dumps(tree)
    with pytest.raises(ApiError) as error:
        client.virtual_accounts.list(filter=text)
    assert error.value.status_code == 422
    return error.value.body["message"]


@pytest.fixture
def _three(client: TrueFoundry, world: World) -> None:
    put(client, "ci-bot", tags={"team": "Platform", "stage": "prod"})
    world.clock.pass_(hours=1)
    put(client, "ci-runner", tags={"team": "data"})
    world.clock.pass_(hours=1)
    put(client, "deploy", expiration_date="2026-03-02")


@pytest.fixture
def _teams(world: World) -> None:
    now = world.clock.now()
    with world.runtime.database.writing() as session:
        for name in ("data", "platform", "web"):
            session.add(
                Team(
                    tenant_id=world.tenant_id,
                    id=new_id(),
                    name=name,
                    manifest={},
                    created_by={},
                    created_at=now,
                    updated_at=now,
                )
            )


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    event.listen(world.runtime.database.engine, "before_cursor_execute", note)
    yield asked
    event.remove(world.runtime.database.engine, "before_cursor_execute", note)


@pytest.mark.usefixtures("_three")
@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_a_list_is_narrowed_down_by_a_tree_of_conditions(client: TrueFoundry):
    found = [(tree, filtered(client, tree)) for tree, _ in TREES]

    assert found == TREES


def test_what_a_tree_cannot_say_is_refused_with_what_it_can(client: TrueFoundry):
    said = [(tree, refused(client, tree)) for tree, _ in REFUSALS]

    assert said == REFUSALS


@pytest.mark.usefixtures("_three")
def test_a_tree_is_read_by_the_async_client_too(server: str, admin_token: str):
    import asyncio

    async def found() -> list[str]:
        async with httpx.AsyncClient() as connections:
            client = AsyncTrueFoundry(
                base_url=server, api_key=admin_token, httpx_client=connections
            )
            pager = await client.virtual_accounts.list(filter=json.dumps(group(leaf())))
            return [account.manifest.name async for account in pager]

    assert asyncio.run(found()) == ["ci-bot"]


@pytest.mark.usefixtures("_three")
def test_expired_accounts_are_listed_by_themselves(client: TrueFoundry, world: World):
    world.clock.pass_(days=1)

    assert names(client, is_expired=True) == ["deploy"]
    assert names(client, is_expired=False) == ["ci-bot", "ci-runner"]
    assert names(client) == ["ci-bot", "ci-runner", "deploy"]


@pytest.mark.usefixtures("_teams")
def test_accounts_are_listed_by_the_teams_that_own_them(client: TrueFoundry, http: httpx.Client):
    for name, owner in (("one", "data"), ("two", "platform"), ("three", "web")):
        put(client, name, ownedBy={"team": owner})
    put(client, "nobodys")

    assert names(client, owned_by_teams=["data", "web"]) == ["one", "three"]
    assert names(client, owned_by_teams=["data,platform"]) == ["one", "two"]
    assert names(client, owned_by_teams=["nothing"]) == []
    assert http.get(PATH, params={"ownedByTeams": ["data"] * 101}).status_code == 422


@pytest.mark.usefixtures("_three")
def test_all_that_is_asked_for_must_hold(client: TrueFoundry, world: World):
    world.clock.pass_(days=1)

    tree = json.dumps(leaf(value="deploy"))

    assert names(client, name_search_query="d", is_expired=True, filter=tree) == ["deploy"]
    assert names(client, name_search_query="ci", is_expired=True, filter=tree) == []


@pytest.mark.usefixtures("_three")
def test_the_total_is_of_what_was_asked_for(client: TrueFoundry):
    page = client.virtual_accounts.list(filter=json.dumps(leaf(value="ci-")), limit=1)

    assert page.response.pagination.total == 2


def test_a_page_takes_as_many_queries_however_long_it_is(client: TrueFoundry, world: World):
    put(client, "bot-00")
    with statements(world) as of_two:
        assert len(names(client, limit=1_000)) == 1
    for number in range(1, 40):
        account, _ = world.create(f"bot-{number:02}")
        tokens.regenerate_token(
            world.runtime, world.admin, account.id, grace=world.fresh(account).max_hold
        )

    with statements(world) as of_forty:
        assert len(names(client, limit=1_000)) == 40

    assert len(of_forty) == len(of_two) <= 32  # of two pages, the empty last one included


def test_every_account_is_listed_with_its_own_tokens(client: TrueFoundry, world: World):
    made = [world.create(f"bot-{number}")[0] for number in range(5)]
    for account in made[:2]:
        tokens.rotate_account(world.runtime, world.admin, account.id)

    listed = {account.id: account for account in client.virtual_accounts.list()}

    for account in made:
        shown = [jwt.id for jwt in listed[str(account.id)].jwts or []]
        assert shown == [str(row.id) for row in reversed(world.tokens(account))]


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_a_page_far_into_a_long_list_holds_what_belongs_there(http: httpx.Client, world: World):
    plant(world, 2_300, due_at=world.clock.now())
    everything = [f"bot-{number:07}" for number in range(2_300)] + ["keyturn-admin"]

    def page(offset: int, **asked: str) -> tuple[list[str], int]:
        params = {"offset": str(offset), "limit": "20", **asked}
        answer = http.get(PATH, params=params).json()
        found = [account["manifest"]["name"] for account in answer["data"]]
        return found, answer["pagination"]["total"]

    offsets = (0, 990, 1_000, 1_200, 2_281, 2_290, 2_300, 2_301, 9_999)
    assert [page(offset) for offset in offsets] == [
        (everything[offset : offset + 20], 2_301) for offset in offsets
    ]
    assert page(5, nameSearchQuery="bot-00022") == (everything[2_205:2_225], 100)
    assert page(2_285, nameSearchQuery="bot-") == (everything[2_285:2_300], 2_300)
