"""Roles: the built-in ones and the tenant's own, by plain HTTP and as the SDK reads them."""

from typing import Any

import httpx
import pytest
from truefoundry_sdk import Role, RoleResourceType

from core.roles import BUILT_IN
from models import AuditRow
from services.access import bindings, roles
from tests.api.calls import NOWHERE, rows
from tests.support.persons import Person, person
from tests.support.world import World

PATH = "/api/svc/v1/roles"
KEEPER = {
    "type": "role",
    "name": "key-keeper",
    "display_name": "Key keeper",
    "description": "Creates and turns keys",
    "resource_type": "account",
    "permissions": ["virtual-account:create", "virtual-account:read"],
}


def put(http: httpx.Client, **fields: Any) -> httpx.Response:
    return http.put(PATH, json={"manifest": KEEPER | fields})


def bind(world: World, role: str, *people: Person, resource_type: str = "account") -> None:
    bindings.put_binding(
        world.runtime,
        world.admin,
        {
            "name": f"bind-{role}",
            "subjects": [{"type": "user", "name": one.email} for one in people],
            "permissions": [{"resource_type": resource_type, "resource_fqn": "acme", "role": role}],
        },
    )


@pytest.fixture
def ann(world: World) -> Person:
    return person(world, "ann@example.com")


@pytest.fixture
def by_ann(server: str, ann: Person) -> httpx.Client:
    with httpx.Client(base_url=server, headers=ann.bearer, timeout=30) as made:
        yield made


def test_the_built_in_roles_come_first_and_then_the_tenants_own_by_name(http: httpx.Client):
    put(http, name="zebra")
    put(http)

    answer = http.get(PATH).json()

    listed = [Role.model_validate(one) for one in answer["data"]]
    assert [one.manifest.name for one in listed] == [*BUILT_IN, "key-keeper", "zebra"]
    assert [one.is_default for one in listed] == [True] * len(BUILT_IN) + [False] * 2
    assert [one.is_editable for one in listed] == [not one.is_default for one in listed]
    assert [one.id for one in listed[: len(BUILT_IN)]] == list(BUILT_IN)
    assert not any(one.resource_type is RoleResourceType._UNKNOWN for one in listed)
    assert answer["pagination"]["total"] == len(listed)
    assert http.get(PATH).json() == answer


def test_roles_are_listed_page_by_page(http: httpx.Client):
    put(http)
    everything = http.get(PATH).json()["data"]

    paged: list[Any] = []
    while page := http.get(PATH, params={"limit": 50, "offset": len(paged)}).json()["data"]:
        paged += page

    assert paged == everything


def test_a_role_is_created_with_all_that_the_sdk_reads(http: httpx.Client, world: World):
    answer = put(http, permissions=["virtual-account:read", "team:read", "team:manage"])

    made = Role.model_validate(answer.json()["data"])
    assert (made.tenant_name, made.account_id) == ("acme", str(world.tenant_id))
    assert (made.resource_type, made.manifest.display_name) == ("account", "Key keeper")
    assert [(one.resource_type, one.permissions) for one in made.permission_sets_v2 or []] == [
        ("team", ["team:manage", "team:read"]),
        ("virtual-account", ["virtual-account:read"]),
    ]
    assert made.created_by_subject["subjectSlug"] == "keyturn-admin"
    assert (made.is_default, made.is_editable, made.is_reserved) == (False, True, False)


def test_both_spellings_of_a_manifest_are_one(http: httpx.Client, world: World):
    camel = {
        {"display_name": "displayName", "resource_type": "resourceType"}.get(key, key): value
        for key, value in KEEPER.items()
    }
    made = put(http).json()["data"]
    before = rows(world)

    assert http.put(PATH, json={"manifest": camel}).json()["data"] == made
    assert made["manifest"] == KEEPER
    assert rows(world) == before


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "tenant-admin"}, "name"),
        ({"name": "cluster-viewer"}, "name"),
        ({"name": "Key Keeper"}, "name"),
        ({"name": "a1a2098a-07c4-7e82-8e5d-95a3c35dbaa4"}, "name"),
        ({"resource_type": "spaceship"}, "resource_type"),
        ({"permissions": []}, "permissions"),
        ({"permissions": ["virtual-account:read", "virtual-account:fly"]}, "permissions.1"),
        ({"permissions": ["*"]}, "permissions.0"),
        ({"everything": True}, "everything"),
        ({"description": None}, "description"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_named(
    http: httpx.Client, fields: dict[str, Any], field: str
):
    answer = put(http, **fields)

    assert answer.status_code == 422
    assert answer.json()["details"] == [{"field": field}]


def test_a_dry_run_writes_nothing(http: httpx.Client, world: World):
    before = rows(world)

    answer = http.put(PATH, json={"manifest": KEEPER, "dryRun": True})

    assert answer.json()["data"]["manifest"] == KEEPER
    assert rows(world) == before


def test_a_change_takes_effect_with_the_next_request_of_every_holder(
    http: httpx.Client, by_ann: httpx.Client, world: World, ann: Person
):
    account, _ = world.create()
    path = f"/api/svc/v1/virtual-accounts/{account.id}"
    put(http)
    bind(world, "key-keeper", ann)

    first = by_ann.get(path).status_code
    put(http, permissions=["virtual-account:create"])
    second = by_ann.get(path).status_code
    put(http, permissions=["virtual-account:read"])

    assert (first, second, by_ann.get(path).status_code) == (200, 403, 200)


def test_each_change_is_in_the_audit_log(http: httpx.Client, world: World):
    role_id = put(http).json()["data"]["id"]
    put(http, description="Turns keys")
    http.delete(f"{PATH}/{role_id}")

    audited = world.rows(AuditRow, AuditRow.subject_type == "role")
    assert [row.action for row in audited] == ["role.created", "role.updated", "role.deleted"]
    assert audited[1].detail["before"]["description"] == "Creates and turns keys"
    assert {row.subject_name for row in audited} == {"key-keeper"}


def test_a_role_that_nobody_holds_is_deleted(http: httpx.Client):
    role_id = put(http).json()["data"]["id"]

    answer = http.delete(f"{PATH}/{role_id}")

    assert (answer.status_code, answer.json()) == (200, {})
    assert http.delete(f"{PATH}/{role_id}").status_code == 404
    assert len(http.get(PATH).json()["data"]) == len(BUILT_IN)


def test_a_role_that_somebody_holds_stays(http: httpx.Client, world: World, ann: Person):
    role_id = put(http).json()["data"]["id"]
    bind(world, "key-keeper", ann)

    answer = http.delete(f"{PATH}/{role_id}")

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    bindings.delete_binding_by_name(world.runtime, world.admin, "bind-key-keeper")
    assert http.delete(f"{PATH}/{role_id}").status_code == 200


def test_what_a_role_is_for_changes_only_while_nobody_holds_it(
    http: httpx.Client, world: World, ann: Person
):
    put(http)
    free = put(http, resource_type="team")
    put(http)
    bind(world, "key-keeper", ann)
    held = put(http, resource_type="team")

    assert (free.status_code, held.status_code) == (200, 409)


@pytest.mark.parametrize("role_id", ["tenant-admin", "team-member"])
def test_a_built_in_role_stays(http: httpx.Client, role_id: str):
    assert http.delete(f"{PATH}/{role_id}").status_code == 409


@pytest.mark.parametrize("role_id", [NOWHERE, "key-keeper", "%00"])
def test_a_role_that_is_not_there_is_not_found(http: httpx.Client, role_id: str):
    assert http.delete(f"{PATH}/{role_id}").status_code == 404


def test_roles_are_for_those_who_may(http: httpx.Client, by_ann: httpx.Client):
    role_id = put(http).json()["data"]["id"]

    assert by_ann.get(PATH).status_code == 403
    assert put(by_ann, name="mine").status_code == 403
    assert put(by_ann, description="Mine").status_code == 403
    assert by_ann.delete(f"{PATH}/{role_id}").status_code == 403


def test_nobody_puts_an_action_into_a_role_that_they_do_not_hold(
    http: httpx.Client, by_ann: httpx.Client, world: World, ann: Person
):
    put(http)
    put(
        http,
        name="role-maker",
        permissions=["role:create", "role:update", "virtual-account:read"],
    )
    bind(world, "role-maker", ann)

    refused = put(by_ann, name="mine", permissions=["virtual-account:read", "team:delete"])
    widened = put(by_ann, permissions=[*KEEPER["permissions"], "virtual-account:read-token"])
    narrowed = put(by_ann, permissions=["virtual-account:read"])
    made = put(by_ann, name="mine", permissions=["virtual-account:read", "role:create"])

    assert (refused.status_code, widened.status_code) == (403, 403)
    assert "permissions.1" in refused.json()["message"]
    assert (narrowed.status_code, made.status_code) == (200, 200)


def test_what_is_held_on_one_thing_is_not_held_on_the_tenant(
    http: httpx.Client, by_ann: httpx.Client, world: World, ann: Person
):
    put(http, name="role-maker", permissions=["role:create"])
    bind(world, "role-maker", ann)
    bindings.put_binding(
        world.runtime,
        world.admin,
        {
            "name": "one-account",
            "subjects": [{"type": "user", "name": ann.email}],
            "permissions": [
                {
                    "resource_type": "virtual-account",
                    "resource_fqn": "virtualaccount:ci-bot",
                    "role": "virtual-account-admin",
                }
            ],
        },
    )

    assert put(by_ann, name="mine", permissions=["virtual-account:read"]).status_code == 403


def test_a_virtual_account_holds_a_custom_role_by_name_or_id(http: httpx.Client, world: World):
    role_id = put(http).json()["data"]["id"]

    for number, name in enumerate(("key-keeper", role_id)):
        grant = {"resource_fqn": "acme", "resource_type": "account", "role_id": name}
        _, token = world.create(f"bot-{number}", permissions=[grant])
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        listed = http.get("/api/svc/v1/virtual-accounts", headers=headers).json()
        assert listed["pagination"]["total"] == number + 2


@pytest.mark.law(12)
def test_another_tenants_role_is_not_found_and_not_to_be_granted(
    http: httpx.Client, world: World, neighbour_role: str
):
    grant = {"resource_fqn": "acme", "resource_type": "account", "role_id": neighbour_role}
    manifest = {"type": "virtual-account", "name": "ci-bot", "permissions": [grant]}

    answer = http.put("/api/svc/v1/virtual-accounts", json={"manifest": manifest})

    assert http.delete(f"{PATH}/{neighbour_role}").status_code == 404
    assert answer.status_code == 422
    assert len(http.get(PATH).json()["data"]) == len(BUILT_IN)


@pytest.fixture
def neighbour_role(world: World) -> str:
    from core.actors import Actor
    from services.operation.bootstrap import ensure_tenant
    from tests.support.world import LIMITS

    there = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@umbrella.io")
    made = roles.put_role(world.runtime, Actor.operator(there, "neighbour"), KEEPER)
    return str(made.row.id)
