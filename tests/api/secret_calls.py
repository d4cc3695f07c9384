"""Secret groups by the public SDK, and virtual accounts that may do just so much."""

from collections.abc import Callable

from truefoundry_sdk import Permissions, SecretGroup, SecretInput, TrueFoundry

STORE = "acme:custom:built-in:secret-store:secrets"
# Makes a virtual account that holds just these permissions; answers its client.
Holders = Callable[..., TrueFoundry]


def create(client: TrueFoundry, name: str = "app", **values: str) -> SecretGroup:
    """A group with these secrets."""
    secrets = [SecretInput(key=key, value=value) for key, value in values.items()]
    return client.secret_groups.create(name=name, integration_id=STORE, secrets=secrets).data


def keys(group: SecretGroup) -> list[str]:
    """What the group holds."""
    return [secret.name for secret in group.associated_secrets]


def on(fqn: str, role: str) -> Permissions:
    """A role on a secret group."""
    return Permissions(resource_fqn=fqn, resource_type="secret-group", role_id=role)
