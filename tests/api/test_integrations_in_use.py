"""Who may use an integration: those whom it names, and those who were granted it."""

import httpx
import pytest
from truefoundry_sdk import TrueFoundry

from core.ids import new_id
from models import (
    GrantRow,
    SubjectKind,
    Team,
    TeamMember,
)
from tests.api.integrations import CHAT, CONSOLE, FQN, PATH, caller, create, in_files, listed, maker
from tests.api.stores import FILES, custom
from tests.support.persons import Person, person
from tests.support.world import World


@pytest.mark.law(12)
@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ([], 403),
        (["virtualaccount:other", "user:maker", "team:maker"], 403),
        (["virtualaccount:maker"], 200),
    ],
)
def test_an_account_uses_an_integration_that_names_it(
    client: TrueFoundry, server: str, world: World, subjects: list[str], expected: int
):
    client.apply(manifest=custom({**FILES, "authorized_subjects": subjects}))
    with caller(server, maker(world)) as http:
        answer = create(http, secret_store_config=in_files())

    assert answer.status_code == expected
    assert client.virtual_accounts.exists(name="ci-bot").exists is (expected == 200)


@pytest.mark.law(12)
@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        ({"resource_type": "provider-integration", "role_id": "provider-integration-viewer"}, 403),
        ({"resource_type": "provider-integration", "role_id": "provider-integration-member"}, 200),
        (
            {
                "resource_fqn": "acme:custom:local",
                "resource_type": "provider-account",
                "role_id": "provider-account-member",
            },
            200,
        ),
        (
            {
                "resource_fqn": "acme:custom:loc",
                "resource_type": "provider-account",
                "role_id": "provider-account-member",
            },
            403,
        ),
    ],
)
def test_an_account_uses_an_integration_that_it_was_granted(
    client: TrueFoundry, server: str, world: World, grant: dict[str, str], expected: int
):
    client.apply(manifest=custom(FILES))
    with caller(server, maker(world, {"resource_fqn": FQN, **grant})) as http:
        answer = create(http, secret_store_config=in_files())

    assert answer.status_code == expected


@pytest.mark.law(12)
def test_a_channel_is_respected_like_a_store(client: TrueFoundry, server: str, world: World):
    target = {"type": "console", "notification_channel": CHAT}
    client.apply(manifest=custom(CONSOLE))
    token = maker(world)
    with caller(server, token) as http:
        before = create(http, notification_target=target)
        client.apply(manifest=custom({**CONSOLE, "authorized_subjects": ["virtualaccount:maker"]}))
        after = create(http, notification_target=target)

    assert (before.status_code, after.status_code) == (403, 200)


def allow(world: World, who: Person) -> None:
    """May create ci-bot."""
    with world.runtime.database.writing() as session:
        session.add(
            GrantRow(
                tenant_id=world.tenant_id,
                id=new_id(),
                subject_kind=SubjectKind.USER,
                subject_id=who.id,
                resource_type="virtual-account",
                resource_fqn="virtualaccount:ci-bot",
                role="virtual-account-admin",
            )
        )


@pytest.mark.law(12)
@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (["user:bea@example.com", "team:data"], 403),
        (["user:ann@example.com"], 200),
        (["team:platform"], 200),
    ],
)
def test_a_person_uses_an_integration_that_names_them_or_a_team_of_theirs(
    client: TrueFoundry, server: str, world: World, subjects: list[str], expected: int
):
    client.apply(manifest=custom({**FILES, "authorized_subjects": subjects}))
    ann, now = person(world), world.clock.now()
    allow(world, ann)
    with world.runtime.database.writing() as session:
        team = Team(
            tenant_id=world.tenant_id,
            id=new_id(),
            name="platform",
            manifest={},
            created_by={},
            created_at=now,
            updated_at=now,
        )
        session.add(team)
        session.flush()
        session.add(TeamMember(tenant_id=world.tenant_id, team_id=team.id, user_id=ann.id))

    with caller(server, ann.token) as http:
        answer = create(http, secret_store_config=in_files())

    assert answer.status_code == expected


def test_who_may_use_an_integration_sees_it_and_checks_it(
    client: TrueFoundry, http: httpx.Client, server: str, world: World
):
    named = {**FILES, "authorized_subjects": ["virtualaccount:maker"]}
    client.apply(manifest=custom(named, CONSOLE))
    ids = {found["fqn"]: found["id"] for found in listed(http)}

    with caller(server, maker(world)) as somebody:
        seen = [found["fqn"] for found in listed(somebody)]
        own, other = ids[FQN], ids[CHAT]
        answers = [
            somebody.get(f"{PATH}/{own}").status_code,
            somebody.post(f"{PATH}/{own}/check").status_code,
            somebody.get(f"{PATH}/{other}").status_code,
            somebody.post(f"{PATH}/{other}/check").status_code,
        ]

    assert seen == [FQN]
    assert answers == [200, 200, 403, 403]
