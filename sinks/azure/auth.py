"""In whose name Key Vault is written: an app with its secret, or the host's own identity."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Tenant = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]
Guid = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]


class _Auth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ClientSecretAuth(_Auth):
    """An app registration of Microsoft Entra and one of its client secrets."""

    type: Literal["client-secret"] = "client-secret"
    tenant_id: Tenant
    client_id: Guid
    client_secret: SecretStr = Field(min_length=1, max_length=500)


class OAuthAuth(_Auth):
    """The same, with the subscription, which Key Vault does not ask for."""

    type: Literal["oauth"] = "oauth"
    tenant_id: Tenant
    client_id: Guid
    client_secret: SecretStr = Field(min_length=1, max_length=500)
    subscription_id: Guid | None = None


class WorkloadIdentityAuth(_Auth):
    """An app that trusts the Kubernetes service account which Keyturn's own host runs as."""

    type: Literal["workload-identity"] = "workload-identity"
    tenant_id: Tenant
    client_id: Guid


class ManagedIdentityAuth(_Auth):
    """A managed identity of Keyturn's own host: the system's, or the one with this client id."""

    type: Literal["managed-identity"] = "managed-identity"
    client_id: Guid | None = None


AppAuth = ClientSecretAuth | OAuthAuth
HostAuth = WorkloadIdentityAuth | ManagedIdentityAuth
AzureAuth = Annotated[AppAuth | HostAuth, Field(discriminator="type")]
