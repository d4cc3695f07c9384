"""Integrations over plain HTTP, as several tests call them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support.world import World

PATH = "/api/v1/integrations"
FQN = "acme:custom:local:secret-store:files"
CHAT = "acme:custom:local:notification-channel:console"
CONSOLE = {"type": "integration/notification-channel/console", "name": "console", "quiet": True}
VIRTUAL_ACCOUNTS = "/api/svc/v1/virtual-accounts"


def listed(http: httpx.Client) -> list[dict[str, Any]]:
    answer = http.get(PATH)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def one(http: httpx.Client, fqn: str) -> dict[str, Any]:
    return next(found for found in listed(http) if found["fqn"] == fqn)


@contextmanager
def caller(server: str, token: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=server, headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as made:
        yield made


def maker(world: World, *grants: dict[str, str]) -> str:
    """The token of an account that may create ci-bot, and no more than these grants allow."""
    may_create = {
        "resource_fqn": "virtualaccount:ci-bot",
        "resource_type": "virtual-account",
        "role_id": "virtual-account-admin",
    }
    return world.create("maker", permissions=[may_create, *grants])[1].reveal()


def create(http: httpx.Client, **manifest: Any) -> httpx.Response:
    return http.put(VIRTUAL_ACCOUNTS, json={"manifest": {"name": "ci-bot", **manifest}})


def in_files() -> dict[str, str]:
    return {"type": "secret-store", "integration_fqn": FQN, "secret_path": "ci/token"}
