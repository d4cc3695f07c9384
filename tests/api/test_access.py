"""Who may make which call: checked for every route there is, against `access_table.py`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from truefoundry_sdk import TrueFoundry, UnprocessableEntityError

from core.actors import Actor
from core.tokens import Token, without_tokens
from models import Base, SubjectKind, TokenRow, VirtualAccount
from services.accounts.accounts import put_account
from services.engine import tokens
from services.integrations import integrations
from services.operation.bootstrap import ensure_admin, ensure_tenant
from tests.api.access_table import CALLERS, PUBLIC, TABLE
from tests.api.calls import ADMIN, kept_in, put, refusal
from tests.api.routes import Route, all_routes, routes
from tests.api.things import MAKERS, Things, bearers, nowhere
from tests.support.world import HOURLY, LIMITS, World

ROUTES = routes()
STATED = [route for route in ROUTES if str(route) in TABLE]
ABOUT_THINGS = [route for route in STATED if route.needs - {"fresh"}]

pytestmark = pytest.mark.law(12)


@dataclass(frozen=True)
class Neighbour:
    """Another tenant with an account of its own."""

    tenant_id: UUID
    account: VirtualAccount
    token: Token
    admin_token: str
    ids: dict[str, str]

    @property
    def admin(self) -> Actor:
        return Actor.operator(self.tenant_id, "neighbour")


@pytest.fixture
def neighbour(world: World, tmp_path: Path) -> Neighbour:
    tenant_id = ensure_tenant(
        world.runtime, "umbrella", limits=LIMITS, admin_email="admin@umbrella.example"
    )
    ensure_admin(world.runtime, tenant_id, tmp_path / "neighbour")
    given = {"name": "their-bot", "auto_rotate": HOURLY}
    made = put_account(world.runtime, Actor.operator(tenant_id, "neighbour"), given)
    assert made.token is not None
    account = made.view.account
    ids = {"account_id": str(account.id), "token_id": str(world.current(account).id)}
    admin_token = (tmp_path / "neighbour").read_text().strip()
    return Neighbour(tenant_id, account, made.token, admin_token, ids)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def held_by(world: World, tenant_id: UUID) -> dict[str, list[Any]]:
    """All rows of a tenant, by table."""
    with world.runtime.database.reading() as session:
        return {
            table.name: sorted(
                session.execute(select(table).where(table.c.tenant_id == tenant_id)).all(), key=str
            )
            for table in Base.metadata.sorted_tables
            if "tenant_id" in table.c
        }


def stated(answers: dict[str, httpx.Response]) -> str:
    """The statuses as the table writes them."""
    return " ".join(str(answers[caller].status_code) for caller in CALLERS)


def test_the_table_says_of_every_route_who_may_call_it():
    missing = {str(route) for route in all_routes()} - set(TABLE) - set(PUBLIC)

    assert missing == set(), "say in access_table.py who may call it"


def test_the_table_names_no_route_that_is_not_there():
    assert {*TABLE, *PUBLIC} - {str(route) for route in all_routes()} == set()


def test_every_thing_that_a_call_is_about_can_be_made():
    assert {name for route in ABOUT_THINGS for name in route.needs} <= {*MAKERS, "fresh"}


@pytest.mark.parametrize("route", all_routes(), ids=str)
def test_a_call_without_a_token_is_refused_unless_it_is_public(anybody: httpx.Client, route: Route):
    answer = route.call(anybody, nowhere(route.needs))

    assert answer.status_code == PUBLIC.get(str(route), 401)
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["code"] in {"unauthenticated", "missing"}


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_call_with_a_token_that_does_not_work_is_refused(
    anybody: httpx.Client, world: World, route: Route
):
    account, token = world.create(permissions=[ADMIN.model_dump()])
    tokens.revoke_all(world.runtime, world.admin, account.id)
    names = nowhere(route.needs)

    revoked = route.call(anybody, names, token.reveal())
    garbage = route.call(anybody, names, token.reveal()[:-1] + "!")

    assert (revoked.status_code, revoked.json()["code"]) == (401, "unauthenticated")
    assert revoked.json()["message"] == "This call needs a valid bearer token: revoked."
    assert (garbage.status_code, garbage.json()["code"]) == (401, "unauthenticated")
    assert garbage.json()["message"] == "This call needs a valid bearer token: malformed."


@pytest.mark.parametrize("route", STATED, ids=str)
def test_a_call_is_answered_as_the_table_says(anybody: httpx.Client, world: World, route: Route):
    things = Things(world, world.tenant_id)
    names = {caller: things.named(route.needs) for caller in CALLERS}
    tokens_of = bearers(things)

    # Those who may come last: a refused call leaves what it is about as it was.
    answers = {who: route.call(anybody, names[who], tokens_of[who]) for who in CALLERS}

    assert stated(answers) == TABLE[str(route)].own, answers["admin account"].text
    codes = {a.json()["code"] for a in answers.values() if a.status_code == 403}
    assert codes <= {"forbidden"}


@pytest.mark.parametrize("route", ABOUT_THINGS, ids=str)
def test_another_tenants_thing_is_as_if_it_were_not_there_and_is_not_touched(
    anybody: httpx.Client, world: World, neighbour: Neighbour, route: Route
):
    theirs = Things(world, neighbour.tenant_id)
    names = theirs.named(route.needs)
    tokens_of = bearers(Things(world, world.tenant_id, made=theirs.made))
    before = held_by(world, neighbour.tenant_id)

    answers = {who: route.call(anybody, names, tokens_of[who]) for who in CALLERS}

    assert stated(answers) == TABLE[str(route)].theirs, answers["admin account"].text
    assert held_by(world, neighbour.tenant_id) == before
    random = nowhere(route.needs) | {"fresh": names["fresh"]}
    for who in CALLERS:
        shown = answers[who].text
        for name in route.needs:
            shown = shown.replace(names[name], random[name])
        nobodys = route.call(anybody, random, tokens_of[who]).text
        assert without_tokens(shown) == without_tokens(nobodys)


def test_the_routes_are_described_to_everybody(anybody: httpx.Client):
    described = anybody.get("/openapi.json").json()["paths"]

    assert {route.path for route in all_routes()} == set(described)


def test_another_tenants_token_is_not_found_under_ones_own_account(
    http: httpx.Client, world: World, neighbour: Neighbour
):
    account, _ = world.create()
    path = f"/api/svc/v1/virtual-accounts/{account.id}/jwt/{neighbour.ids['token_id']}"

    answer = http.delete(path)

    assert answer.status_code == 404
    assert world.works(neighbour.token)


@pytest.mark.usefixtures("neighbour")
def test_lists_hold_ones_own_things_only(client: TrueFoundry):
    accounts = [found.manifest.name for found in client.virtual_accounts.list()]
    people = [user.email for user in client.users.list(show_invalid_users=True)]

    assert accounts == ["keyturn-admin"]
    assert people == ["admin@example.com"]


@pytest.mark.usefixtures("neighbour")
def test_another_tenants_account_does_not_exist(client: TrueFoundry):
    assert not client.virtual_accounts.exists(name="their-bot").exists


def test_the_name_of_another_tenants_account_is_free(
    client: TrueFoundry, world: World, neighbour: Neighbour
):
    ours = put(client, "their-bot", tags={"whose": "ours"})

    assert ours.id != str(neighbour.account.id)
    assert world.fresh(neighbour.account).manifest.get("tags") is None


def test_another_tenants_store_cannot_be_named(
    client: TrueFoundry, world: World, neighbour: Neighbour
):
    applied = integrations.apply_provider_account(
        world.runtime,
        neighbour.admin,
        {
            "type": "provider-account/custom",
            "name": "local",
            "integrations": [{"type": "integration/secret-store/custom/file", "name": "files"}],
        },
    )

    refused = refusal(
        client, {"name": "ci-bot", "secret_store_config": kept_in(applied.integrations[0].fqn)}
    )

    assert isinstance(refused, UnprocessableEntityError)
    assert refused.body.details == [{"field": "secret_store_config.integration_fqn"}]


def test_another_tenants_provider_account_is_not_changed_by_its_name(
    client: TrueFoundry, world: World, neighbour: Neighbour
):
    files = {"type": "integration/secret-store/custom/file", "name": "files"}
    manifest = {"type": "provider-account/custom", "name": "local", "integrations": [files]}
    theirs = integrations.apply_provider_account(world.runtime, neighbour.admin, manifest)

    ours = client.apply(manifest=manifest | {"integrations": []})

    assert ours.action == "CREATE"
    listed = integrations.list_integrations(world.runtime, neighbour.admin)
    assert [one.id for one, _ in listed] == [theirs.integrations[0].id]


def test_an_admin_of_another_tenant_is_an_admin_there_alone(
    anybody: httpx.Client, world: World, neighbour: Neighbour
):
    account, _ = world.create()
    headers = bearer(neighbour.admin_token)

    listed = anybody.get("/api/svc/v1/virtual-accounts", headers=headers).json()["data"]
    found = anybody.get(f"/api/svc/v1/virtual-accounts/{account.id}", headers=headers)

    assert [one["manifest"]["name"] for one in listed] == ["keyturn-admin", "their-bot"]
    assert found.status_code == 404


@pytest.mark.parametrize(
    ("resource_type", "fqn", "role"),
    [
        ("account", "umbrella", "tenant-admin"),
        ("cluster", "acme", "tenant-admin"),
        ("account", "acme", "tenant-member"),
        ("account", "ACME", "tenant-admin"),
    ],
)
def test_a_role_elsewhere_makes_nobody_an_admin_here(
    anybody: httpx.Client, world: World, resource_type: str, fqn: str, role: str
):
    account, token = world.create()
    things = Things(world, world.tenant_id)
    things.grant(SubjectKind.VIRTUAL_ACCOUNT, account.id, resource_type, fqn, role)
    call = {"manifest": {"type": "virtual-account", "name": "other-bot"}}

    answer = anybody.put("/api/svc/v1/virtual-accounts", json=call, headers=bearer(token.reveal()))

    assert answer.status_code == 403


def test_an_admins_old_token_is_as_good_as_the_new_one_through_its_grace(
    anybody: httpx.Client, world: World
):
    account, old = world.create(permissions=[ADMIN.model_dump()], auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    during = anybody.get("/api/svc/v1/users", headers=bearer(old.reveal()))
    world.clock.pass_(minutes=10)
    after = anybody.get("/api/svc/v1/users", headers=bearer(old.reveal()))

    assert (during.status_code, after.status_code) == (200, 401)


def test_every_token_of_a_tenant_is_that_tenants(world: World, neighbour: Neighbour):
    (theirs,) = world.rows(TokenRow, TokenRow.account_id == neighbour.account.id)

    assert theirs.tenant_id == neighbour.tenant_id
