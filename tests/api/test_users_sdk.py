"""Users by the public SDK: listed, registered, invited, given roles, deactivated, deleted."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from truefoundry_sdk import (
    AsyncTrueFoundry,
    ConflictError,
    NotFoundError,
    TrueFoundry,
    UnprocessableEntityError,
    User,
)
from truefoundry_sdk.core.api_error import ApiError

from core.ids import new_id
from models import AuditRow, GrantRow, LoginSession, PersonalAccessToken
from models import User as UserRow
from tests.api.calls import NOWHERE, ONCE, rows
from tests.api.people import PAGE, joined, sdk, status
from tests.support.world import World

LIST = "/api/svc/v1/users"


@pytest.fixture
def _three_more(world: World) -> None:
    """Two more people, and one who has left."""
    now = world.clock.now()
    with world.runtime.database.writing() as session:
        for email, active in (
            ("bea@example.com", True),
            ("cem@example.org", True),
            ("dan@example.com", False),
        ):
            session.add(
                UserRow(
                    tenant_id=world.tenant_id,
                    id=new_id(),
                    email=email,
                    active=active,
                    created_at=now,
                    updated_at=now,
                )
            )


@pytest.fixture
def member(world: World, server: str) -> Iterator[TrueFoundry]:
    """Bea, who is a tenant-member and nothing more."""
    with sdk(server, joined(world, "bea@example.com")) as made:
        yield made


@pytest.fixture
def id_of(world: World) -> Callable[[str], str]:
    def found(email: str) -> str:
        (row,) = world.rows(UserRow, UserRow.email == email)
        return str(row.id)

    return found


def actions(world: World) -> list[str]:
    return [row.action for row in world.rows(AuditRow)]


def emails(users: object) -> list[str]:
    return [user.email for user in users]


def test_the_first_admin_is_a_user_with_all_that_the_sdk_reads(client: TrueFoundry):
    (user,) = client.users.list()

    assert isinstance(user, User)
    assert (user.email, user.tenant_name) == ("admin@example.com", "acme")
    assert (user.roles, user.active, user.is_editable) == (["tenant-admin"], True, True)
    assert user.created_at == user.updated_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.usefixtures("_three_more")
def test_users_are_listed_by_their_address(client: TrueFoundry):
    assert emails(client.users.list()) == [
        "admin@example.com",
        "bea@example.com",
        "cem@example.org",
    ]


@pytest.mark.usefixtures("_three_more")
def test_users_who_have_left_are_listed_when_asked_for(client: TrueFoundry):
    everybody = client.users.list(show_invalid_users=True)

    assert emails(everybody)[-1] == "dan@example.com"
    assert [user.active for user in everybody] == [True, True, True, False]


@pytest.mark.usefixtures("_three_more")
def test_users_are_searched_by_a_part_of_their_address(client: TrueFoundry):
    assert emails(client.users.list(query="example.org")) == ["cem@example.org"]


@pytest.mark.parametrize("query", ["%", "_dmin", "\\"])
def test_what_is_searched_for_is_taken_literally(client: TrueFoundry, query: str):
    assert emails(client.users.list(query=query)) == []


@pytest.mark.usefixtures("_three_more")
def test_users_are_listed_page_by_page(client: TrueFoundry):
    pages = [emails(page.items or []) for page in client.users.list(limit=2).iter_pages()]

    assert pages == [["admin@example.com", "bea@example.com"], ["cem@example.org"]]


def test_the_page_after_the_last_is_empty(client: TrueFoundry):
    after = client.users.list(limit=10).next_page()

    assert after is not None
    assert after.items == []
    assert after.response.pagination.total == 1


def test_a_registered_user_is_an_active_member_at_once(client: TrueFoundry, world: World):
    client.users.pre_register_users(email="Ann@Example.com")

    (ann,) = client.users.list(query="ANN@")
    assert (ann.email, ann.roles, ann.active) == ("ann@example.com", ["tenant-member"], True)
    assert client.users.get(ann.id).data == ann
    assert actions(world)[-1] == "user.registered"


def test_nobody_is_registered_twice_however_they_are_written(client: TrueFoundry, world: World):
    client.users.pre_register_users(email="ann@example.com")
    before = rows(world)

    with pytest.raises(ConflictError) as refused:
        client.users.pre_register_users(email="ANN@example.com", request_options=ONCE)
    client.users.pre_register_users(email="ANN@example.com", skip_if_user_exists=True)

    assert refused.value.body.message == "ann@example.com is registered already."
    assert rows(world) == before


def test_a_dry_run_registers_nobody(client: TrueFoundry, world: World):
    before = rows(world)

    client.users.pre_register_users(email="ann@example.com", dry_run=True)
    with pytest.raises(UnprocessableEntityError):
        client.users.pre_register_users(email="ann", dry_run=True)

    assert rows(world) == before


@pytest.mark.parametrize("email", ["", "ann", "a@b@c", "ann@example.com\n", "a\u202en@b.c"])
def test_what_is_no_address_is_refused(client: TrueFoundry, email: str):
    with pytest.raises(UnprocessableEntityError) as refused:
        client.users.pre_register_users(email=email)

    assert refused.value.body.details == [{"field": "email"}]


@pytest.mark.parametrize("email", ["\\u0000@x", "\\ud800@example.com"])
def test_text_that_no_database_holds_is_refused(http: httpx.Client, email: str):
    content = f'{{"email": "{email}"}}'

    for path in ("register", "invite", "deactivate"):
        method = "PATCH" if path == "deactivate" else "POST"
        answer = http.request(
            method, f"{LIST}/{path}", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422


def test_a_role_counts_with_the_next_request(
    client: TrueFoundry, member: TrueFoundry, world: World
):
    def registers(email: str) -> int:
        try:
            member.users.pre_register_users(email=email)
        except ApiError as error:
            return error.status_code or 0
        return 200

    before = registers("ann@example.com")
    client.users.update_roles(email="Bea@example.com", roles=["tenant-admin"])
    during = registers("ann@example.com")
    client.users.update_roles(email="bea@example.com", roles=["tenant-member"])
    after = registers("cem@example.com")

    assert (before, during, after) == (403, 200, 403)
    assert actions(world).count("user.roles-changed") == 2


def test_roles_that_are_held_already_change_nothing(client: TrueFoundry, world: World):
    client.users.pre_register_users(email="ann@example.com")
    client.users.update_roles(email="ann@example.com", roles=["account-viewer"])
    before = rows(world)

    client.users.update_roles(
        email="ann@example.com", roles=["tenant-member", "account-viewer"], resource_type="account"
    )

    assert rows(world) == before
    assert next(iter(client.users.list(query="ann"))).roles == ["account-viewer"]


@pytest.mark.parametrize("role", ["no-such-role", "workspace-admin", "team-manager", ""])
def test_a_role_that_is_none_of_the_accounts_is_refused(client: TrueFoundry, role: str):
    client.users.pre_register_users(email="ann@example.com")

    with pytest.raises(UnprocessableEntityError) as refused:
        client.users.update_roles(email="ann@example.com", roles=["tenant-member", role])

    assert refused.value.body.details == [{"field": "roles.1"}]


def test_somebody_without_a_role_is_refused_and_so_is_another_kind_of_resource(
    client: TrueFoundry,
):
    for more in ({"roles": []}, {"roles": ["tenant-member"], "resource_type": "workspace"}):
        with pytest.raises(UnprocessableEntityError):
            client.users.update_roles(email="admin@example.com", **more)


def test_who_is_deactivated_is_refused_at_once_and_works_again_when_activated(
    client: TrueFoundry, server: str, world: World
):
    login = joined(world, "ann@example.com")
    with sdk(server, login) as ann:
        personal = ann.personal_access_tokens.create(name="laptop").token
        gone = ann.personal_access_tokens.create(name="old-laptop").token
    bearers = (login, personal, gone)

    client.users.deactivate(email="ANN@example.com")
    during = [status(server, bearer) for bearer in bearers]
    client.personal_access_tokens.delete(
        str(world.rows(PersonalAccessToken, PersonalAccessToken.name == "old-laptop")[0].id)
    )
    client.users.activate(email="ann@example.com")

    assert during == [401, 401, 401]
    assert [status(server, bearer) for bearer in bearers] == [200, 200, 401]
    assert {"user.deactivated", "user.activated"} <= set(actions(world))


def test_deactivating_twice_is_told_once(client: TrueFoundry, world: World):
    client.users.pre_register_users(email="ann@example.com")

    for _ in range(2):
        client.users.deactivate(email="ann@example.com")

    assert actions(world).count("user.deactivated") == 1


def test_who_is_deleted_leaves_nothing_that_works(
    client: TrueFoundry, server: str, world: World, id_of: Callable[[str], str]
):
    login = joined(world, "ann@example.com", "account-viewer")
    with sdk(server, login) as ann:
        personal = ann.personal_access_tokens.create(name="laptop").token
    ann_id = id_of("ann@example.com")

    client.users.delete(ann_id)

    assert [status(server, bearer) for bearer in (login, personal)] == [401, 401]
    assert world.rows(PersonalAccessToken) == world.rows(LoginSession) == []
    assert ann_id not in {str(row.subject_id) for row in world.rows(GrantRow)}
    with pytest.raises(NotFoundError):
        client.users.get(ann_id)
    client.users.pre_register_users(email="ann@example.com")
    assert next(iter(client.users.list(query="ann"))).roles == ["tenant-member"]


def test_the_last_active_admin_stays_one(client: TrueFoundry, id_of: Callable[[str], str]):
    only = "admin@example.com"
    taken: list[Callable[[], object]] = [
        lambda: client.users.update_roles(
            email=only, roles=["tenant-member"], request_options=ONCE
        ),
        lambda: client.users.deactivate(email=only, request_options=ONCE),
        lambda: client.users.delete(id_of(only), request_options=ONCE),
    ]

    for take in taken:
        with pytest.raises(ApiError) as refused:
            take()
        assert refused.value.status_code == 409
    client.users.pre_register_users(email="ann@example.com")
    client.users.update_roles(email="ann@example.com", roles=["tenant-admin"])
    client.users.deactivate(email=only)

    assert emails(client.users.list()) == ["ann@example.com"]


@pytest.mark.usefixtures("world")
def test_somebody_unknown_is_not_found(client: TrueFoundry):
    for act in (client.users.activate, client.users.deactivate):
        with pytest.raises(NotFoundError):
            act(email="nobody@example.com")
    with pytest.raises(ApiError) as refused:
        client.users.update_roles(email="nobody@example.com", roles=["tenant-member"])
    with pytest.raises(NotFoundError):
        client.users.delete(NOWHERE)
    with pytest.raises(NotFoundError):
        client.users.deactivate(email="admin@example.com", tenant_name="umbrella")
    assert refused.value.status_code == 404


def test_a_member_reads_people_and_changes_none(
    member: TrueFoundry, world: World, id_of: Callable[[str], str]
):
    admin, before = "admin@example.com", rows(world)
    refused: list[Callable[[], object]] = [
        lambda: member.users.pre_register_users(email="x@example.com"),
        lambda: member.users.invite_user(email="x@example.com", accept_invite_client_url=PAGE),
        lambda: member.users.update_roles(email="bea@example.com", roles=["tenant-admin"]),
        lambda: member.users.activate(email=admin),
        lambda: member.users.deactivate(email=admin),
        lambda: member.users.delete(id_of(admin)),
        lambda: member.personal_access_tokens.create_for_user(name="mine", user_email=admin),
        lambda: member.personal_access_tokens.revoke_all(email=admin),
    ]

    for call in refused:
        with pytest.raises(ApiError) as answer:
            call()
        assert answer.value.status_code == 403

    assert emails(member.users.list()) == [admin, "bea@example.com"]
    assert member.users.get(id_of("bea@example.com")).data.email == "bea@example.com"
    assert rows(world) == before


def test_users_by_the_asynchronous_sdk(server: str, admin_token: str):
    async def live() -> list[object]:
        async with httpx.AsyncClient() as connections:
            users = AsyncTrueFoundry(
                base_url=server, api_key=admin_token, httpx_client=connections
            ).users
            await users.pre_register_users(email="ann@example.com")
            await users.update_roles(email="ann@example.com", roles=["account-viewer"])
            await users.deactivate(email="ann@example.com")
            await users.activate(email="ann@example.com")
            (ann,) = [user async for user in await users.list(query="ann")]
            invited = await users.invite_user(
                email="bob@example.com", accept_invite_client_url=PAGE
            )
            await users.delete(ann.id)
            return [ann.roles, invited.link, [u.email async for u in await users.list()]]

    roles, link, left = asyncio.run(live())

    assert roles == ["account-viewer"]
    assert str(link).startswith(f"{PAGE}?token=tfy_inv_")
    assert left == ["admin@example.com", "bob@example.com"]
