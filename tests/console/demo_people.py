"""People, teams and what they hold, for the demo's tenant."""

from models import Team, User
from services.access.bindings import put_binding
from services.access.roles import put_role
from services.identity.identity_providers import put_identity_provider
from services.people.invitations import invite
from services.people.personal_tokens import Wanted, create_for
from services.people.teams import put_team
from services.people.user_life import change_roles, set_active
from services.secrets.secret_groups import put_secret, put_secret_group
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
    people = {
        "payments": ("Everything that moves money.", _PEOPLE[2], _PEOPLE[1:4]),
        "platform": ("Build, deploy, observe.", _PEOPLE[0], _PEOPLE[3:5]),
        "data": ("Pipelines and reports.", _PEOPLE[4], _PEOPLE[4:5]),
    }
    for name, (about, manager, members) in people.items():
        put_team(
            runtime,
            admin,
            {"name": name, "description": about, "managers": [manager], "members": list(members)},
        )
    role = put_role(
        runtime,
        admin,
        {
            "name": "key-turner",
            "display_name": "Key turner",
            "description": "Rotates virtual accounts, and reads nothing secret.",
            "resource_type": "virtual-account",
            "permissions": ["virtual-account:read", "virtual-account:manage"],
        },
    )
    binding = put_binding(
        runtime,
        admin,
        {
            "name": "on-call",
            "subjects": [
                {"type": "team", "name": "platform"},
                {"type": "user", "name": _PEOPLE[1]},
            ],
            "permissions": [
                {"resource_type": "account", "resource_fqn": "acme", "role": "account-member"},
                {
                    "resource_type": "virtual-account",
                    "resource_fqn": "virtualaccount:checkout-api",
                    "role": "key-turner",
                },
            ],
        },
    )
    provider = put_identity_provider(
        runtime,
        admin,
        {
            "name": "github",
            "issuer": "https://token.actions.githubusercontent.com",
            "jwks_uri": "http://127.0.0.1:1/jwks",
            "audiences": ["https://keyturn.example.com/acme"],
            "conditions": [{"claim": "repository_owner_id", "equals": "4711"}],
        },
    )
    put_identity_provider(
        runtime,
        admin,
        {
            "name": "okta",
            "issuer": "https://acme.okta.com",
            "jwks_uri": "http://127.0.0.1:1/jwks",
            "audiences": ["api://keyturn"],
            "users": "email",
            "sign_in": {"client_id": "keyturn-console"},
        },
    )
    group = put_secret_group(
        runtime,
        admin,
        {
            "name": "shared-keys",
            "collaborators": [{"subject": "team:platform", "role_id": "secret-group-member"}],
        },
    )
    for key in ("grafana-admin", "registry-pull"):
        put_secret(runtime, admin, str(group.row.id), key, "x" * 24)
    teams = {row.name: row for row in world.rows(Team)}
    users = {row.email: row for row in world.rows(User)}
    return {
        "user": str(users[_PEOPLE[1]].id),
        "team": str(teams["payments"].id),
        "role": str(role.row.id),
        "binding": str(binding.row.id),
        "group": str(group.row.id),
        "provider": str(provider.row.id),
    }
