"""Whatever people and machines call themselves stays text, on every page that shows it."""

import pytest
from playwright.sync_api import Page
from sqlalchemy import update

from models import (
    AuditRow,
    Delivery,
    Event,
    Integration,
    Lane,
    PersonalAccessToken,
    Place,
    User,
)
from services.access.bindings import put_binding
from services.access.roles import put_role
from services.people.teams import put_team
from services.secrets.secret_groups import put_secret, put_secret_group
from tests.support.persons import person
from tests.support.world import World, stored, told_by

HOSTILE = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>\'{{7*7}}${7*7}'


@pytest.fixture
def paths(world: World) -> list[str]:
    """The addresses of pages, all of whose free texts are hostile."""
    store, _ = world.store()
    chat, _ = world.channel()
    person(world, "o'brien@example.com")
    team = put_team(
        world.runtime,
        world.admin,
        {
            "name": "builders",
            "display_name": HOSTILE,
            "description": HOSTILE,
            "members": ["o'brien@example.com"],
            "tags": {HOSTILE: HOSTILE},
        },
    ).row
    role = put_role(
        world.runtime,
        world.admin,
        {
            "name": "reader",
            "display_name": HOSTILE,
            "description": HOSTILE,
            "resource_type": "secret-group",
            "permissions": ["secret-group:read"],
        },
    ).row
    bound = {"resource_type": "secret-group", "resource_fqn": HOSTILE, "role": "reader"}
    binding = put_binding(
        world.runtime,
        world.admin,
        {
            "name": "bound",
            "subjects": [{"type": "team", "name": "builders"}],
            "permissions": [bound],
        },
    ).row
    world.create(
        "ci-bot",
        tags={HOSTILE: HOSTILE},
        secret_store_config=stored(store, HOSTILE),
        notification_target=told_by(chat, to=[HOSTILE]),
        ownedBy={"team": "builders"},
    )
    group = put_secret_group(world.runtime, world.admin, {"name": "shared-keys"}).row
    put_secret(world.runtime, world.admin, str(group.id), "key", HOSTILE)
    world.drain()
    with world.runtime.database.writing() as session:
        said = {"ok": False, "message": HOSTILE, "at": world.clock.now().isoformat()}
        session.execute(update(Integration).values(checked=said, authorized_subjects=[HOSTILE]))
        session.execute(update(Lane).values(last_error=HOSTILE, failures=1))
        session.execute(update(Place).values(drift=HOSTILE[:100], last_error=HOSTILE))
        session.execute(update(Delivery).values(error=HOSTILE))
        session.execute(update(PersonalAccessToken).values(team_name=HOSTILE[:64]))
        for event in session.query(Event):
            event.facts = {**event.facts, "account": HOSTILE, "error": HOSTILE, "by": HOSTILE}
        for row in session.query(AuditRow):
            row.subject_name, row.action = HOSTILE[:320], HOSTILE[:80]
            row.actor = {"name": HOSTILE, "kind": HOSTILE, "address": HOSTILE}
            row.detail = {HOSTILE: HOSTILE}
    obrien = world.rows(User, User.email == "o'brien@example.com")[0]
    integrations = {row.name: row.id for row in world.rows(Integration)}
    delivery = world.deliveries()[0]
    return [
        "/users?q=o%27brien",
        f"/users/{obrien.id}",
        f"/users/{obrien.id}/tokens/revoke-all",
        "/teams",
        f"/teams/{team.id}",
        f"/teams/{team.id}/edit",
        f"/teams/{team.id}/delete",
        "/roles",
        f"/roles/{role.id}",
        f"/roles/{role.id}/edit",
        f"/roles/{role.id}/delete",
        "/role-bindings",
        f"/role-bindings/{binding.id}",
        f"/role-bindings/{binding.id}/edit",
        f"/role-bindings/{binding.id}/delete",
        "/integrations",
        f"/integrations/{integrations['vault']}",
        f"/integrations/{integrations['vault']}/delete",
        f"/integrations/{integrations['chat']}",
        f"/secret-groups/{group.id}",
        "/activity",
        "/activity/deliveries",
        f"/activity/deliveries/{delivery.id}",
        "/activity/audit",
    ]


def test_what_is_written_into_names_is_text_everywhere(admin: Page, paths: list[str]):
    ran, shown = [], 0

    for path in paths:
        admin.goto(path)
        ran += [path] if admin.evaluate("'pwned' in window") else []
        shown += "onerror" in admin.locator("main").inner_text()

    assert ran == []
    assert shown > len(paths) // 2
