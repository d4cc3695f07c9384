"""Users as the public SDK lists them."""

from datetime import UTC, datetime

import pytest
from truefoundry_sdk import TrueFoundry, User

from core.ids import new_id
from models import User as UserRow
from tests.support.world import World


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
                    roles=["tenant-member"],
                    active=active,
                    created_at=now,
                    updated_at=now,
                )
            )


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
