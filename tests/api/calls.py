"""Calls by the public SDK that several tests make."""

import pytest
from sqlalchemy import func, select
from truefoundry_sdk import (
    Permissions,
    SecretStoreIntegrationConfig,
    TrueFoundry,
    UnprocessableEntityError,
    VirtualAccount,
    VirtualAccountManifest,
)

from models import Base
from tests.support.world import World

# The SDK repeats 409 and 5xx, with seconds in between.
ONCE = {"max_retries": 0}
NOWHERE = "01a2098a-07c4-7e82-8e5d-95a3c35dbaa4"
READER = Permissions(resource_fqn="acme", resource_type="account", role_id="account-viewer")
ADMIN = Permissions(resource_fqn="acme", resource_type="account", role_id="tenant-admin")


def put(client: TrueFoundry, name: str = "ci-bot", **fields: object) -> VirtualAccount:
    """Creates or updates an account by a typed manifest."""
    manifest = VirtualAccountManifest(name=name, **fields)
    return client.virtual_accounts.create_or_update(manifest=manifest).data


def kept_in(fqn: str, path: str = "ci/token") -> SecretStoreIntegrationConfig:
    """A manifest's place in a store."""
    return SecretStoreIntegrationConfig(integration_fqn=fqn, secret_path=path)


def refusal(client: TrueFoundry, manifest: object) -> UnprocessableEntityError:
    """How this manifest of an account is refused."""
    with pytest.raises(UnprocessableEntityError) as refused:
        client.virtual_accounts.create_or_update(manifest=manifest)
    return refused.value


def rows(world: World) -> dict[str, int]:
    """How many rows each table has."""
    with world.runtime.database.reading() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }
