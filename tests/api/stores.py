"""Provider accounts that several tests apply."""

from typing import Any

import pytest
from truefoundry_sdk import (
    HashicorpProviderAccount,
    HashicorpTokenAuth,
    HashicorpVaultIntegration,
    ProviderAccount,
    TrueFoundry,
    TrueFoundryApplyResponse,
)
from truefoundry_sdk.core.api_error import ApiError

from models import Integration
from tests.api.calls import ONCE
from tests.support.world import World

MASK = "**********"
CANARY = "hvs.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FILES = {"type": "integration/secret-store/custom/file", "name": "files"}
CONSOLE = {"type": "integration/notification-channel/console", "name": "console", "quiet": True}


def custom(*integrations: dict[str, Any]) -> dict[str, Any]:
    """A provider account on Keyturn's own host."""
    return {
        "type": "provider-account/custom",
        "name": "local",
        "integrations": list(integrations),
    }


def vault(nobody: str, token: str = CANARY, **more: Any) -> HashicorpProviderAccount:
    """A provider account with one Vault, at which nobody answers."""
    return HashicorpProviderAccount(
        name="vaults",
        integrations=[
            HashicorpVaultIntegration(
                name="vault",
                vault_url=f"http://{nobody}",
                kv_mount_path="secret",
                auth_data=HashicorpTokenAuth(token=token),
                timeout=0.5,
                **more,
            )
        ],
    )


def applied(response: TrueFoundryApplyResponse) -> ProviderAccount:
    """The provider account of an answer; of another type it would parse as something else."""
    assert isinstance(response.data, ProviderAccount)
    return response.data


def refusal(client: TrueFoundry, manifest: object) -> ApiError:
    """How apply refuses this manifest."""
    with pytest.raises(ApiError) as refused:
        client.apply(manifest=manifest, request_options=ONCE)
    return refused.value


def sealed(world: World) -> dict[str, Any]:
    """What the only integration's plugin is made of."""
    (integration,) = world.rows(Integration)
    return world.runtime.opened.config(integration)
