"""Teams, roles and role bindings as the public SDK applies them, and what every type has."""

from typing import Any

import httpx
import pytest
from truefoundry_sdk import (
    AsyncTrueFoundry,
    Role,
    RoleBinding,
    RoleBindingManifest,
    RoleManifest,
    SecretGroup,
    SecretGroupManifest,
    Team,
    TeamManifest,
    TrueFoundry,
)

from tests.api.calls import rows
from tests.support.world import World

TEAM = {"type": "team", "name": "platform", "members": ["admin@example.com"]}
ROLE = {
    "type": "role",
    "name": "rotator",
    "display_name": "Rotator",
    "description": "Turns keys",
    "resource_type": "virtual-account",
    "permissions": ["virtual-account:update"],
}
ACCOUNT = {"type": "virtual-account", "name": "ci-bot"}
STORE = {
    "type": "provider-account/custom",
    "name": "local",
    "integrations": [{"type": "integration/notification-channel/console", "name": "console"}],
}
GROUP = {
    "type": "secret-group",
    "name": "app",
    "integration_fqn": "acme:custom:built-in:secret-store:secrets",
}
BINDING = {
    "type": "role-binding",
    "name": "platform-reads",
    "subjects": [{"type": "team", "name": "platform"}],
    "permissions": [{"resource_type": "tenant", "resource_fqn": "acme", "role": "account-viewer"}],
}
KINDS = [
    (TEAM, Team, TeamManifest),
    (ROLE, Role, RoleManifest),
    (GROUP, SecretGroup, SecretGroupManifest),
    (BINDING, RoleBinding, RoleBindingManifest),
]
EVERY = [TEAM, ROLE, STORE, GROUP, ACCOUNT, BINDING]
NAMES = [one["type"] for one, *_ in KINDS]


def apply(client: TrueFoundry, manifest: dict[str, Any], **more: Any) -> Any:
    return client.apply(manifest=manifest, **more)


@pytest.mark.parametrize(("manifest", "shape", "kind"), KINDS, ids=NAMES)
def test_it_is_created_then_updated(
    client: TrueFoundry, manifest: dict[str, Any], shape: type, kind: type
):
    apply(client, TEAM) if manifest is BINDING else None

    created, again = apply(client, manifest), apply(client, manifest)

    assert (created.action, created.existing_manifest) == ("CREATE", None)
    assert isinstance(created.data, shape)
    assert again.action == "UPDATE"
    assert again.data == created.data
    assert isinstance(again.existing_manifest, kind)
    assert again.existing_manifest.name == manifest["name"]


@pytest.mark.parametrize("manifest", EVERY, ids=lambda m: m["type"])
def test_applied_again_it_changes_nothing(
    client: TrueFoundry, world: World, manifest: dict[str, Any]
):
    apply(client, TEAM)
    apply(client, manifest)
    before = rows(world)

    again = apply(client, manifest)

    assert (again.changed, again.diff) == (False, "")
    assert rows(world) == before


@pytest.mark.parametrize("manifest", EVERY[1:], ids=lambda m: m["type"])
def test_a_dry_run_writes_nothing_and_says_what_would_be(
    client: TrueFoundry, world: World, manifest: dict[str, Any]
):
    apply(client, TEAM)
    before = rows(world)

    response = apply(client, manifest, dry_run=True)

    assert (response.action, response.changed) == ("CREATE", True)
    assert f"+name: {manifest['name']}\n" in response.diff
    assert rows(world) == before


def test_what_differs_is_told_line_by_line(client: TrueFoundry):
    apply(client, ACCOUNT)

    response = apply(client, {**ACCOUNT, "expiration_date": "2027-01-31"}, dry_run=True)

    changed = [
        line
        for line in response.diff.splitlines()
        if line[:1] in "+-" and line[:3] not in ("---", "+++")
    ]
    assert changed == ["+expiration_date: '2027-01-31'"]


def test_a_credential_is_not_in_the_difference_and_a_new_one_is_mentioned(client: TrueFoundry):
    def slack(url: str) -> dict[str, Any]:
        webhook = {
            "type": "integration/notification-channel/slack-webhook",
            "name": "alerts",
            "auth_data": {"type": "slack-webhook", "webhook_url": url},
        }
        return {"type": "provider-account/slack", "name": "slack", "integrations": [webhook]}

    first = apply(client, slack("https://hooks.slack.com/services/T0/B0/first"), dry_run=True)
    apply(client, slack("https://hooks.slack.com/services/T0/B0/first"))
    second = apply(client, slack("https://hooks.slack.com/services/T0/B0/second"), dry_run=True)

    assert "first" not in first.diff
    assert second.diff == "# a credential changes\n"


def test_there_is_no_tree_of_dependencies(http: httpx.Client, anybody: httpx.Client):
    answer = http.post("/api/svc/v1/dependency-tree", json={"manifests": [TEAM]})
    nobody = anybody.post("/api/svc/v1/dependency-tree", json={"manifests": [TEAM]})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["message"].endswith("everything is applied in an order by type.")
    assert nobody.status_code == 401


async def _apply_and_delete(server: str, token: str) -> tuple[Any, Any]:
    async with httpx.AsyncClient() as connections:
        client = AsyncTrueFoundry(base_url=server, api_key=token, httpx_client=connections)
        applied = await client.apply(manifest=TEAM)
        return applied, await client.delete(manifest=TEAM)


def test_the_asynchronous_client_applies_and_deletes_alike(server: str, admin_token: str):
    import asyncio

    applied, deleted = asyncio.run(_apply_and_delete(server, admin_token))

    assert isinstance(applied.data, Team)
    assert deleted.model_dump() == {}
