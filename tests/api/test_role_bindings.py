"""Role bindings: who holds what by a manifest, and what happens when anything of it changes."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from truefoundry_sdk import RoleBinding

from core.errors import Conflict, Forbidden, InvalidInput
from models import AuditRow, GrantRow
from services.access import bindings, roles
from services.access.bindings import PutBinding
from services.accounts import account_life
from services.people import teams, user_life
from tests.api.calls import NOWHERE, rows
from tests.support.persons import Person, person
from tests.support.world import World

PATH = "/api/svc/v1/role-bindings"
VIEW = {"resource_type": "account", "resource_fqn": "acme", "role": "account-viewer"}
ADMIN = {"resource_type": "account", "resource_fqn": "acme", "role": "tenant-admin"}


def bind(
    world: World,
    *subjects: str,
    name: str = "ops-view",
    permissions: list[dict[str, str]] | None = None,
    dry_run: bool = False,
) -> PutBinding:
    """By the operator; subjects are written `user:ann@example.com`."""
    split = [one.partition(":") for one in subjects]
    given = {
        "type": "role-binding",
        "name": name,
        "subjects": [{"type": kind, "name": who} for kind, _, who in split],
        "permissions": permissions or [VIEW],
    }
    return bindings.put_binding(world.runtime, world.admin, given, dry_run=dry_run)


def grants(world: World) -> list[tuple[str, str]]:
    found = world.rows(GrantRow, GrantRow.binding_id.is_not(None))
    return sorted((row.subject_kind.value, row.role) for row in found)


@pytest.fixture
def ann(world: World) -> Person:
    return person(world, "ann@example.com")


@pytest.fixture
def by_ann(server: str, ann: Person) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, headers=ann.bearer, timeout=30) as made:
        yield made


def test_every_subject_of_a_binding_holds_every_role_of_it(world: World, ann: Person):
    world.create()
    teams.put_team(world.runtime, world.admin, {"name": "ops", "members": []})
    read = {"resource_type": "team", "resource_fqn": "team:ops", "role": "team-viewer"}

    made = bind(
        world,
        f"user:{ann.email}",
        "team:ops",
        "virtualaccount:ci-bot",
        f"user:{ann.email.upper()}",
        permissions=[VIEW, read],
    )

    assert (made.created, made.changed, made.existing) == (True, True, None)
    assert grants(world) == [
        (kind, role)
        for kind in ("team", "user", "virtualaccount")
        for role in ("account-viewer", "team-viewer")
    ]


def test_a_binding_takes_effect_and_ends_with_the_next_request(
    http: httpx.Client, by_ann: httpx.Client, world: World, ann: Person
):
    made = bind(world, f"user:{ann.email}", permissions=[ADMIN])
    during = by_ann.get(PATH)

    http.delete(f"{PATH}/{made.row.id}")

    assert (during.status_code, by_ann.get(PATH).status_code) == (200, 403)
    (listed,) = during.json()["data"]
    assert RoleBinding.model_validate(listed).manifest.subjects[0].name == ann.email
    assert world.rows(GrantRow, GrantRow.binding_id.is_not(None)) == []


def test_bindings_are_listed_by_name_and_page_by_page(
    http: httpx.Client, world: World, ann: Person
):
    for name in ("ccc", "aaa", "bbb"):
        bind(world, f"user:{ann.email}", name=name)

    pages = [http.get(PATH, params={"limit": 2, "offset": at}).json() for at in (0, 2, 4)]

    assert [[one["name"] for one in page["data"]] for page in pages] == [
        ["aaa", "bbb"],
        ["ccc"],
        [],
    ]
    assert {page["pagination"]["total"] for page in pages} == {3}


def test_an_update_gives_and_takes_what_differs(world: World, ann: Person):
    bob = person(world, "bob@example.com")
    first = bind(world, f"user:{ann.email}")

    changed = bind(world, f"user:{bob.email}")

    assert (changed.created, changed.changed) == (False, True)
    assert changed.existing == first.row.manifest
    (row,) = world.rows(GrantRow, GrantRow.binding_id.is_not(None))
    assert row.subject_id == bob.id
    audited = world.rows(AuditRow, AuditRow.subject_type == "role-binding")
    assert [one.action for one in audited] == ["role-binding.created", "role-binding.updated"]


def test_a_put_that_touches_nothing_changes_nothing(world: World, ann: Person):
    bind(world, f"user:{ann.email}")
    before = rows(world)
    world.clock.pass_(minutes=1)

    again = bind(world, f"user:{ann.email}")

    assert not again.changed
    assert again.row.updated_at < world.clock.now()
    assert rows(world) == before


def test_a_dry_run_writes_nothing(world: World, ann: Person):
    before = rows(world)

    would = bind(world, f"user:{ann.email}", dry_run=True)

    assert would.created
    assert rows(world) == before


def test_what_goes_through_a_binding_is_apart_from_what_is_held_otherwise(
    world: World, ann: Person
):
    bind(world, f"user:{ann.email}", name="one")
    bind(world, f"user:{ann.email}", name="two")

    bindings.delete_binding_by_name(world.runtime, world.admin, "one")

    assert grants(world) == [("user", "account-viewer")]


@pytest.mark.parametrize(
    ("subjects", "permission", "field"),
    [
        (["user:nobody@example.com"], VIEW, "subjects.0.name"),
        (["user:ann@example.com", "team:nothing"], VIEW, "subjects.1.name"),
        (["virtualaccount:nothing"], VIEW, "subjects.0.name"),
        (["agent:smith"], VIEW, "subjects.0.type"),
        (["user:ann@example.com"], VIEW | {"role": "nothing"}, "permissions.0.role"),
        (["user:ann@example.com"], VIEW | {"role": "team-viewer"}, "permissions.0.role"),
        (["user:ann@example.com"], VIEW | {"resource_type": "moon"}, "permissions.0.resource_type"),
        (
            ["user:ann@example.com"],
            VIEW | {"resource_fqn": "umbrella"},
            "permissions.0.resource_fqn",
        ),
        ([], VIEW, "subjects"),
    ],
)
@pytest.mark.usefixtures("ann")
def test_what_is_wrong_with_a_manifest_is_named(
    world: World, subjects: list[str], permission: dict[str, str], field: str
):
    with pytest.raises(InvalidInput) as refused:
        bind(world, *subjects, permissions=[permission])

    assert refused.value.field == field
    assert "nobody" not in str(refused.value)


def test_a_subject_that_is_deleted_holds_nothing_under_the_same_name_until_it_is_bound_again(
    world: World,
):
    account, _ = world.create()
    bind(world, "virtualaccount:ci-bot")
    account_life.delete_account(world.runtime, world.admin, account.id)
    with pytest.raises(InvalidInput):
        bind(world, "virtualaccount:ci-bot")
    world.create()
    assert grants(world) == []

    assert bind(world, "virtualaccount:ci-bot").changed
    assert grants(world) == [("virtualaccount", "account-viewer")]


def test_what_was_granted_on_an_account_does_not_hold_on_the_next_of_its_name(
    by_ann: httpx.Client, world: World, ann: Person
):
    on_bot = {
        "resource_type": "virtual-account",
        "resource_fqn": "virtualaccount:ci-bot",
        "role": "virtual-account-admin",
    }
    first, _ = world.create()
    bind(world, f"user:{ann.email}", permissions=[on_bot])
    before = by_ann.get(f"/api/svc/v1/virtual-accounts/{first.id}/token")
    account_life.delete_account(world.runtime, world.admin, first.id)
    second, _ = world.create()

    after = by_ann.get(f"/api/svc/v1/virtual-accounts/{second.id}/token")

    assert (before.status_code, after.status_code) == (200, 403)


def test_the_last_admins_binding_stays(world: World, ann: Person):
    bind(world, f"user:{ann.email}", name="admins", permissions=[ADMIN])
    (first,) = [one for one in world.rows(user_life.User) if one.email == "admin@example.com"]
    user_life.delete_user(world.runtime, world.admin, str(first.id))

    with pytest.raises(Conflict, match="last active tenant-admin"):
        bindings.delete_binding_by_name(world.runtime, world.admin, "admins")
    with pytest.raises(Conflict, match="last active tenant-admin"):
        bind(world, f"user:{ann.email}", name="admins", permissions=[VIEW])


@pytest.mark.parametrize("binding_id", [NOWHERE, "ops-view", "%00"])
def test_a_binding_that_is_not_there_is_not_found(http: httpx.Client, binding_id: str):
    assert http.delete(f"{PATH}/{binding_id}").status_code == 404


def test_bindings_are_for_those_who_may(by_ann: httpx.Client, world: World, ann: Person):
    made = bind(world, f"user:{ann.email}")

    assert by_ann.get(PATH).status_code == 403
    assert by_ann.delete(f"{PATH}/{made.row.id}").status_code == 403


def test_nobody_binds_or_unbinds_what_they_do_not_hold(
    by_ann: httpx.Client, world: World, ann: Person
):
    roles.put_role(
        world.runtime,
        world.admin,
        {
            "name": "binder",
            "display_name": "Binder",
            "description": "",
            "resource_type": "account",
            "permissions": ["role-binding:create", "role-binding:update", "role-binding:delete"],
        },
    )
    binder = {"resource_type": "account", "resource_fqn": "acme", "role": "binder"}
    bind(world, f"user:{ann.email}", name="binders", permissions=[binder])
    admins = bind(world, "user:admin@example.com", name="admins", permissions=[ADMIN])
    actor = _as(world, ann)

    for given in (ADMIN, VIEW):
        with pytest.raises(Forbidden, match="do not hold"):
            bindings.put_binding(
                world.runtime,
                actor,
                {
                    "name": "mine",
                    "subjects": [{"type": "user", "name": ann.email}],
                    "permissions": [given],
                },
            )
    with pytest.raises(Forbidden, match="do not hold"):
        bindings.delete_binding(world.runtime, actor, str(admins.row.id))
    passed_on = bindings.put_binding(
        world.runtime,
        actor,
        {
            "name": "mine",
            "subjects": [{"type": "user", "name": "admin@example.com"}],
            "permissions": [binder],
        },
    )
    assert passed_on.created
    assert by_ann.delete(f"{PATH}/{passed_on.row.id}").status_code == 200


def _as(world: World, who: Person) -> Any:
    from services.verify.verification import Verified, actor_of, verify

    verified = verify(world.runtime, who.token)
    assert isinstance(verified, Verified)
    return actor_of(world.runtime, verified)
