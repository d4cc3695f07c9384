"""What Vault gives a token for: the logins that an integration can name."""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from hvac.api.auth_methods import JWT, AppRole, Kubernetes
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from core.auth_methods import auth_method
from core.plugins import Ports
from sinks.paths import tidied
from sinks.vault.pod import LONGEST_TOKEN, service_account
from sinks.vault.wire import Wire

Secret = Annotated[SecretStr, Field(min_length=1, max_length=4096)]
Jwt = Annotated[SecretStr, Field(min_length=1, max_length=LONGEST_TOKEN)]
Role = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Mount = Annotated[
    str,
    StringConstraints(max_length=255, pattern=r"^[A-Za-z0-9_./-]+$"),
    AfterValidator(tidied),
    StringConstraints(min_length=1),
]


class _Auth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class TokenAuth(_Auth):
    """A token that was made elsewhere; Keyturn renews it if Vault allows."""

    type: Literal["token"] = "token"
    token: Secret


class Exchanged(_Auth):
    """Credentials that Vault exchanges for a token, as often as one is needed."""

    refusal: ClassVar[str]
    """What is said where Vault does not take them."""

    @abstractmethod
    def exchange(self, wire: Wire, ports: Ports) -> dict[str, Any]:
        """Vault's answer to the login. `wire` is nobody's."""


class AppRoleAuth(Exchanged):
    """A role id and a secret id, exchanged for tokens."""

    refusal: ClassVar[str] = "Vault does not take this role_id and secret_id."

    type: Literal["approle"] = "approle"
    role_id: str = Field(min_length=1, max_length=4096)
    secret_id: Secret
    role_path: str | None = Field(default="approle", max_length=255, pattern=r"^[A-Za-z0-9_./-]+$")

    def exchange(self, wire: Wire, ports: Ports) -> dict[str, Any]:
        answer: dict[str, Any] = AppRole(wire).login(
            self.role_id,
            self.secret_id.get_secret_value(),
            use_token=False,
            mount_point=self.role_path or "approle",
        )
        return answer


class JwtAuth(Exchanged):
    """A JWT that an identity provider signed, exchanged for tokens until it ends."""

    refusal: ClassVar[str] = (
        "Vault does not take this role and jwt: look at the role's bound claims; "
        "a jwt past its `exp` has to be given anew."
    )

    type: Literal["jwt"] = "jwt"
    role: Role
    jwt: Jwt
    mount_path: Mount = "jwt"

    def exchange(self, wire: Wire, ports: Ports) -> dict[str, Any]:
        answer: dict[str, Any] = JWT(wire).jwt_login(
            self.role, self.jwt.get_secret_value(), use_token=False, path=self.mount_path
        )
        return answer


class KubernetesAuth(Exchanged):
    """The service account of the pod that Keyturn runs in, exchanged for tokens.

    It is the host's own identity, so it goes only to auth methods that the operator names:
    whoever has set up another one would read it.
    """

    refusal: ClassVar[str] = (
        "Vault does not take this role with the service account of Keyturn's pod: look at the "
        "role's bound service account names and namespaces."
    )

    type: Literal["kubernetes"] = "kubernetes"
    role: Role
    mount_path: Mount = "kubernetes"

    def exchange(self, wire: Wire, ports: Ports) -> dict[str, Any]:
        method = auth_method(wire.base_uri, wire.namespace, self.mount_path)
        jwt = service_account(ports, method)
        answer: dict[str, Any] = Kubernetes(wire).login(
            self.role, jwt, use_token=False, mount_point=self.mount_path
        )
        return answer


VaultAuth = TokenAuth | AppRoleAuth | KubernetesAuth | JwtAuth
