"""Personal access tokens by the public SDK: made, listed, revoked, and bounded."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from truefoundry_sdk import (
    AsyncTrueFoundry,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TrueFoundry,
    VirtualAccount,
)
from truefoundry_sdk.core.api_error import ApiError

from core.actors import Actor, ActorKind
from core.ids import new_id
from core.tokens import recognise
from models import AuditRow, Team, TeamMember, User
from models import PersonalAccessToken as TokenRow
from services.operation import tenants
from services.people import device_login
from tests.api.calls import NOWHERE, ONCE, READER, rows
from tests.api.people import joined, sdk, status
from tests.support.world import World

EMAIL = "bea@example.com"


@pytest.fixture
def login(world: World) -> str:
    """Bea's login session; she is a tenant-member and nothing more."""
    return joined(world, EMAIL)


@pytest.fixture
def member(server: str, login: str) -> Iterator[TrueFoundry]:
    with sdk(server, login) as made:
        yield made


@pytest.fixture
def limited(world: World) -> Callable[..., tenants.Settled]:
    """Sets the tenant's limits."""

    def limit(*, shorten: bool = False, **changes: object) -> tenants.Settled:
        return tenants.set_limits(world.runtime, world.admin, changes, shorten=shorten)

    return limit


def refusal(call: Callable[[], object]) -> tuple[int | None, list[dict[str, str]] | None]:
    """How a call is refused: its status, and the fields that are named."""
    with pytest.raises(ApiError) as refused:
        call()
    body = refused.value.body
    return refused.value.status_code, body["details"] if isinstance(body, dict) else body.details


def names(client: TrueFoundry, **query: str) -> list[str]:
    return [item.manifest.name for item in client.personal_access_tokens.list(**query)]


def test_a_token_is_shown_once_and_works_as_its_owner(
    member: TrueFoundry, server: str, world: World
):
    token = member.personal_access_tokens.create(name="laptop").token

    (row,) = world.rows(TokenRow)
    made = recognise(token)
    assert made is not None
    assert (row.hash, row.last_four) == (made.hash, made.last_four)
    assert status(server, token) == 200
    with sdk(server, token) as caller:
        assert [user.email for user in caller.users.list(query="bea")] == [EMAIL]
    assert token not in str([vars(row) for row in world.rows(AuditRow)])


def test_ones_own_tokens_are_listed_as_the_sdk_reads_them(
    member: TrueFoundry, client: TrueFoundry, world: World
):
    member.personal_access_tokens.create(name="laptop", expiration_date="2026-03-31")
    member.personal_access_tokens.create(name="ci-runner")
    client.personal_access_tokens.create_for_user(name="a-third", user_email="admin@example.com")

    runner, laptop = member.personal_access_tokens.list()

    assert isinstance(laptop, VirtualAccount)
    assert laptop.manifest is not None
    assert laptop.jwts is not None
    assert (laptop.manifest.name, laptop.manifest.expiration_date) == ("laptop", "2026-03-31")
    assert laptop.created_by_subject.subject_slug == EMAIL
    assert laptop.account_id == str(world.tenant_id)
    assert laptop.jwts[0].expiry == datetime(2026, 4, 1, tzinfo=UTC)
    assert runner.manifest is not None
    assert runner.manifest.expiration_date is None
    assert not runner.is_expired


def test_tokens_are_searched_and_paged(member: TrueFoundry):
    for name in ("laptop", "desktop", "ci-runner"):
        member.personal_access_tokens.create(name=name)

    pages = list(member.personal_access_tokens.list(limit=2).iter_pages())

    assert names(member, name_search_query="top") == ["desktop", "laptop"]
    assert [len(page.items or []) for page in pages] == [2, 1]
    assert pages[0].response.pagination.total == 3


def test_a_list_holds_no_manifest_type(server: str, login: str, member: TrueFoundry):
    member.personal_access_tokens.create(name="laptop")

    answer = httpx.get(
        f"{server}/api/svc/v1/personal-access-tokens", headers={"Authorization": f"Bearer {login}"}
    ).json()

    assert answer["data"][0]["manifest"] == {"name": "laptop", "user_fqn": f"user:{EMAIL}"}


def test_a_token_works_through_its_last_day(member: TrueFoundry, server: str, world: World):
    token = member.personal_access_tokens.create(name="laptop", expiration_date="2026-03-02").token

    world.clock.pass_(hours=14, minutes=59)
    on_the_day = status(server, token)
    world.clock.pass_(minutes=1)

    assert (on_the_day, status(server, token)) == (200, 401)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": "ab"}, "name"),
        ({"name": "Laptop"}, "name"),
        ({"name": "laptop-"}, "name"),
        ({"name": "laptop", "expiration_date": "2026-03-01"}, "expirationDate"),
        ({"name": "laptop", "expiration_date": "soon"}, "expirationDate"),
        ({"name": "laptop", "token_type": "jwt"}, "tokenType"),
        ({"name": "laptop", "team_name": "platform"}, "teamName"),
        ({"name": "laptop", "account_name": "umbrella"}, "accountName"),
    ],
)
def test_a_wrong_token_is_refused_by_its_field(
    member: TrueFoundry, world: World, fields: dict[str, str], named: str
):
    before = rows(world)

    refused = refusal(lambda: member.personal_access_tokens.create(**fields))

    assert refused == (422, [{"field": named}])
    assert rows(world) == before


def test_a_name_is_taken_once_by_each_person(member: TrueFoundry, client: TrueFoundry):
    member.personal_access_tokens.create(name="laptop")
    client.personal_access_tokens.create_for_user(name="laptop", user_email="admin@example.com")

    with pytest.raises(ConflictError):
        member.personal_access_tokens.create(name="laptop", request_options=ONCE)

    (laptop,) = member.personal_access_tokens.list()
    member.personal_access_tokens.delete(laptop.id)
    member.personal_access_tokens.create(name="laptop")


def test_a_token_can_count_for_a_team_that_its_owner_is_in(member: TrueFoundry, world: World):
    now = world.clock.now()
    (bea,) = world.rows(User, User.email == EMAIL)
    team = Team(
        tenant_id=world.tenant_id, id=new_id(), name="platform", manifest={}, created_by={},
        created_at=now, updated_at=now,
    )  # fmt: skip
    in_team = TeamMember(team_id=team.id, user_id=bea.id, tenant_id=world.tenant_id)
    with world.runtime.database.writing() as session:
        session.add(team)
        session.flush()
        session.add(in_team)

    member.personal_access_tokens.create(name="laptop", team_name="platform")

    (laptop,) = member.personal_access_tokens.list()
    assert laptop.manifest is not None
    assert laptop.manifest.owned_by is not None
    assert laptop.manifest.owned_by.team == "platform"


def test_a_token_cannot_make_a_token_nor_can_a_login_that_was_made_with_it(
    client: TrueFoundry, server: str, world: World
):
    with sdk(server, joined(world, "ann@example.com", "tenant-admin")) as ann:
        token = ann.personal_access_tokens.create(name="laptop").token
    (row,) = world.rows(TokenRow)
    bearer = Actor(
        world.tenant_id, ActorKind.USER, "ann@example.com", row.user_id,
        token_id=row.id, with_personal_token=True,
    )  # fmt: skip
    begun = device_login.begin_login(world.runtime, "acme")
    device_login.approve_login(world.runtime, bearer, begun.user_code)
    login = device_login.finish_login(world.runtime, "acme", begun.device_code.reveal())
    assert login is not None

    for credential in (token, login.reveal()):
        with sdk(server, credential) as caller:
            tokens = caller.personal_access_tokens
            assert refusal(lambda: tokens.create(name="another"))[0] == 403  # noqa: B023
            with pytest.raises(ForbiddenError):
                tokens.create_for_user(name="another", user_email="admin@example.com")
            assert names(caller) == ["laptop"]
    assert len(world.rows(TokenRow)) == 1


def test_a_virtual_account_has_no_personal_tokens(client: TrueFoundry):
    with pytest.raises(ApiError) as refused:
        client.personal_access_tokens.create(name="laptop")

    assert refused.value.status_code == 403
    assert "Only people have personal access tokens" in refused.value.body["message"]
    assert refusal(lambda: list(client.personal_access_tokens.list()))[0] == 403


def test_an_admin_makes_a_token_for_somebody_else(
    client: TrueFoundry, server: str, member: TrueFoundry
):
    token = client.personal_access_tokens.create_for_user(
        name="from-admin", user_email="BEA@example.com", expiration_date="2026-12-31"
    ).token

    (made,) = member.personal_access_tokens.list()
    assert made.created_by_subject.subject_slug == "keyturn-admin"
    assert status(server, token, "/api/svc/v1/users") == 200
    assert status(server, token, "/api/svc/v1/virtual-accounts/" + NOWHERE) == 404
    with pytest.raises(NotFoundError):
        client.personal_access_tokens.create_for_user(name="laptop", user_email="x@example.com")


def test_for_somebody_who_is_not_active_no_token_is_made(client: TrueFoundry, login: str):
    client.users.deactivate(email=EMAIL)

    with pytest.raises(ConflictError):
        client.personal_access_tokens.create_for_user(
            name="laptop", user_email=EMAIL, request_options=ONCE
        )


def test_a_person_revokes_their_own_tokens_and_no_others(
    member: TrueFoundry, client: TrueFoundry, server: str, world: World
):
    own = member.personal_access_tokens.create(name="laptop").token
    other = client.personal_access_tokens.create_for_user(
        name="desktop", user_email="admin@example.com"
    ).token
    ids = {row.name: str(row.id) for row in world.rows(TokenRow)}

    member.personal_access_tokens.delete(ids["laptop"])
    refused = refusal(lambda: member.personal_access_tokens.delete(ids["desktop"]))
    with pytest.raises(NotFoundError):
        member.personal_access_tokens.delete(ids["laptop"])

    assert refused[0] == 403
    assert [status(server, token) for token in (own, other)] == [401, 200]
    assert names(member) == []


def test_an_admin_revokes_anybodys_token_and_all_of_somebodys(
    member: TrueFoundry, client: TrueFoundry, server: str, world: World
):
    made = [
        member.personal_access_tokens.create(name=name).token
        for name in ("laptop", "desktop", "ci-runner")
    ]
    first = next(row for row in world.rows(TokenRow) if row.name == "laptop")

    client.personal_access_tokens.delete(str(first.id))
    one_gone = [status(server, token) for token in made]
    client.personal_access_tokens.revoke_all(email="Bea@example.com")
    before = rows(world)
    client.personal_access_tokens.revoke_all(email=EMAIL)

    assert one_gone == [401, 200, 200]
    assert [status(server, token) for token in made] == [401, 401, 401]
    assert rows(world) == before
    with pytest.raises(NotFoundError):
        client.personal_access_tokens.revoke_all(email="nobody@example.com")
    with pytest.raises(NotFoundError):
        client.personal_access_tokens.delete(NOWHERE)


def test_a_token_beyond_the_longest_life_is_refused(
    member: TrueFoundry, world: World, limited: Callable[..., tenants.Settled]
):
    limited(pat_longest_life=timedelta(days=30))

    def create(**fields: str) -> object:
        return member.personal_access_tokens.create(name="laptop", **fields)

    for beyond in ({}, {"expiration_date": "2026-04-01"}):
        with pytest.raises(ApiError) as refused:
            create(**beyond)
        assert refused.value.status_code == 422
        assert refused.value.body["message"] == (
            "expirationDate: the longest life of a personal access token here is 30d; "
            "give a day until 2026-03-31"
        )
    create(expiration_date="2026-03-31")
    assert len(world.rows(TokenRow)) == 1


def test_a_person_has_at_most_so_many_tokens(
    member: TrueFoundry,
    client: TrueFoundry,
    world: World,
    limited: Callable[..., tenants.Settled],
):
    limited(pat_most_per_user=2)
    member.personal_access_tokens.create(name="one", expiration_date="2026-03-02")
    client.personal_access_tokens.create_for_user(name="two", user_email=EMAIL)

    beyond = refusal(lambda: member.personal_access_tokens.create(name="three"))
    by_admin = refusal(
        lambda: client.personal_access_tokens.create_for_user(name="three", user_email=EMAIL)
    )
    world.clock.pass_(hours=11)
    client.personal_access_tokens.create_for_user(name="two", user_email="admin@example.com")
    world.clock.pass_(days=1)  # the first has ended
    client.personal_access_tokens.create_for_user(name="three", user_email=EMAIL)

    assert beyond == by_admin == (422, [{"field": "name"}])


def test_a_repeat_under_the_same_key_gets_the_same_token(
    member: TrueFoundry, client: TrueFoundry, world: World
):
    options: dict[str, dict[str, str]] = {"additional_headers": {"Idempotency-Key": "once"}}

    own = {
        member.personal_access_tokens.create(name="laptop", request_options=options).token
        for _ in range(2)
    }
    theirs = {
        client.personal_access_tokens.create_for_user(
            name="desktop", user_email=EMAIL, request_options=options
        ).token
        for _ in range(2)
    }

    assert (len(own), len(theirs), len(world.rows(TokenRow))) == (1, 1, 2)


def test_a_reader_of_everything_is_no_admin_of_tokens(server: str, world: World, login: str):
    _, token = world.create(permissions=[READER.model_dump()])

    with sdk(server, token.reveal()) as reader:
        calls = (
            lambda: reader.personal_access_tokens.revoke_all(email=EMAIL),
            lambda: reader.personal_access_tokens.create_for_user(name="abc", user_email=EMAIL),
        )
        assert [refusal(call)[0] for call in calls] == [403, 403]


def test_personal_tokens_by_the_asynchronous_sdk(
    server: str, login: str, admin_token: str, world: World
):
    async def live() -> list[int]:
        async with httpx.AsyncClient() as connections:
            bea = AsyncTrueFoundry(base_url=server, api_key=login, httpx_client=connections)
            admin = AsyncTrueFoundry(base_url=server, api_key=admin_token, httpx_client=connections)
            tokens = bea.personal_access_tokens
            await tokens.create(name="laptop", expiration_date="2026-12-31")
            await admin.personal_access_tokens.create_for_user(name="desktop", user_email=EMAIL)
            seen = [[item async for item in await tokens.list()]]
            await tokens.delete(seen[0][0].id)
            seen.append([item async for item in await tokens.list()])
            await admin.personal_access_tokens.revoke_all(email=EMAIL)
            seen.append([item async for item in await tokens.list()])
            return [len(items) for items in seen]

    assert asyncio.run(live()) == [2, 1, 0]
    assert [row.action for row in world.rows(AuditRow)][-1] == "personal-access-token.revoked-all"
