"""Who may make which call: checked for every route there is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from truefoundry_sdk import TrueFoundry, UnprocessableEntityError

from core.actors import Actor
from core.tokens import Token
from models import TokenRow, VirtualAccount
from services import integrations, tokens
from services.accounts import put_account
from services.bootstrap import ensure_admin, ensure_tenant
from tests.api.calls import ADMIN, NOWHERE, READER, kept_in, put, refusal
from tests.api.routes import PUBLIC, Route, routes
from tests.support.world import HOURLY, LIMITS, World

ROUTES = routes()
WITH_IDS = [route for route in ROUTES if route.has_ids]
NO_ID = {"account_id": NOWHERE, "token_id": NOWHERE}

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


def call(http: httpx.Client, route: Route, ids: dict[str, str], **more: Any) -> httpx.Response:
    return http.request(route.method, route.path.format(**ids), json=route.body, **more)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_walk_knows_the_routes_there_are():
    known = {str(route) for route in ROUTES}

    assert "DELETE /api/svc/v1/virtual-accounts/{account_id}/jwt/{token_id}" in known
    assert "PUT /api/svc/v1/apply" in known
    assert len(known) >= 12


@pytest.mark.parametrize("path", sorted(PUBLIC - {"/api/v1/verify"}))
def test_the_public_routes_need_no_token(anybody: httpx.Client, path: str):
    assert anybody.get(path).status_code == 200


def test_the_routes_are_described_to_everybody(anybody: httpx.Client):
    described = anybody.get("/openapi.json").json()["paths"]

    assert {route.path for route in ROUTES} | PUBLIC == set(described)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_call_without_a_token_is_refused(anybody: httpx.Client, route: Route):
    answer = call(anybody, route, NO_ID)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_call_with_a_token_that_does_not_work_is_refused(
    anybody: httpx.Client, world: World, route: Route
):
    account, token = world.create(permissions=[ADMIN.model_dump()])
    tokens.revoke_all(world.runtime, world.admin, account.id)

    answer = call(anybody, route, NO_ID, headers=bearer(token.reveal()))

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.json()["message"] == "This call needs a valid bearer token: revoked."


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_call_by_somebody_who_is_no_admin_is_refused(
    anybody: httpx.Client, world: World, route: Route
):
    account, token = world.create(permissions=[READER.model_dump()])
    own = {"account_id": str(account.id), "token_id": str(world.current(account).id)}

    answer = call(anybody, route, own, headers=bearer(token.reveal()))

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert world.works(token)


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_what_is_not_there_is_not_found(http: httpx.Client, route: Route):
    answer = call(http, route, NO_ID)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_another_tenants_thing_is_not_found_and_not_touched(
    http: httpx.Client, world: World, neighbour: Neighbour, route: Route
):
    answer = call(http, route, neighbour.ids)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert world.works(neighbour.token)
    assert world.fresh(neighbour.account).updated_at == neighbour.account.updated_at
    assert world.fresh(neighbour.account).paused_at is None


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_another_tenants_thing_looks_like_one_that_is_not_there(
    http: httpx.Client, neighbour: Neighbour, route: Route
):
    theirs, nobodys = call(http, route, neighbour.ids), call(http, route, NO_ID)

    shown = theirs.text.replace(neighbour.ids["account_id"], NOWHERE)
    assert shown == nobodys.text


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
    "grant",
    [
        {"resource_fqn": "umbrella", "resource_type": "account", "role_id": "tenant-admin"},
        {"resource_fqn": "acme", "resource_type": "cluster", "role_id": "tenant-admin"},
        {"resource_fqn": "acme", "resource_type": "account", "role_id": "tenant-member"},
        {"resource_fqn": "ACME", "resource_type": "account", "role_id": "tenant-admin"},
    ],
)
def test_a_role_elsewhere_makes_nobody_an_admin_here(
    anybody: httpx.Client, world: World, grant: dict[str, str]
):
    _, token = world.create(permissions=[grant])

    answer = anybody.get("/api/svc/v1/users", headers=bearer(token.reveal()))

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
