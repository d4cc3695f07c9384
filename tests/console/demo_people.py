"""People, teams and what they hold, for the demo's tenant."""

from models import User
from services.invitations import invite
from services.personal_tokens import Wanted, create_for
from services.user_life import change_roles, set_active
from tests.support.persons import person
from tests.support.world import World

_PEOPLE = (
    "ann.lindqvist@example.com",
    "bela.kovacs@example.com",
    "chidi.okafor@example.com",
    "dana.reyes@example.com",
    "emil.hansen@example.com",
    "farah.siddiqui@example.com",
)


def fill_people(world: World) -> dict[str, str]:
    """Makes them; answers the names of things that pages are about."""
    runtime, admin = world.runtime, world.admin
    for email in _PEOPLE:
        person(world, email)
    change_roles(runtime, admin, _PEOPLE[0], ["tenant-admin"])
    change_roles(runtime, admin, _PEOPLE[1], ["account-viewer"])
    create_for(runtime, admin, _PEOPLE[1], Wanted("release-checks", "2026-12-31"))
    set_active(runtime, admin, _PEOPLE[5], active=False)
    invite(runtime, admin, "grace.mbeki@example.com", page_url="https://keys.example.com/welcome")
    users = {row.email: row for row in world.rows(User)}
    return {"user": str(users[_PEOPLE[1]].id)}
