"""Gets the tokens that Key Vault takes; the sends of an integration share them."""

import math
import os
import threading
import time
from typing import Any, NamedTuple

from azure.core.credentials import AccessTokenInfo
from azure.identity import (
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from core.dial import Dialer
from core.errors import Misconfigured, Transient
from core.plugins import Ports
from sinks.azure.auth import (
    AppAuth,
    HostAuth,
    ManagedIdentityAuth,
    WorkloadIdentityAuth,
)
from sinks.azure.errors import UNANSWERED, unanswered
from sinks.azure.wire import ONE_TRY, TimedLogin
from sinks.deadline import Deadline

_TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"


class Cloud(NamedTuple):
    """Where one of Microsoft's clouds logs in, and what its vaults' names end in."""

    authority: str
    vaults: str


CLOUDS = {
    "public": Cloud("login.microsoftonline.com", "vault.azure.net"),
    "china": Cloud("login.chinacloudapi.cn", "vault.azure.cn"),
    "us-government": Cloud("login.microsoftonline.us", "vault.usgovcloudapi.net"),
}


def demand_ambient(auth: AppAuth | HostAuth | None, ports: Ports) -> None:
    """Misconfigured if this is the host's own identity and the operator does not lend it."""
    if not isinstance(auth, AppAuth) and not ports.ambient_credentials:
        raise Misconfigured(
            "Without a client secret this uses the Azure identity of Keyturn's own host, which "
            "the operator has not allowed: set KEYTURN_AMBIENT_CREDENTIALS, or give one."
        )


class Identity:
    """One identity in one cloud; safe from any thread. Its calls belong to the running send."""

    def __init__(
        self,
        auth: AppAuth | HostAuth | None,
        cloud: Cloud,
        *,
        dialer: Dialer,
        trusted: str | None,
        timeout: float,
    ) -> None:
        self._auth = auth
        self._cloud = cloud
        self._guarded = TimedLogin(timeout, dialer, trusted)
        self._own = TimedLogin(timeout)
        self._lock = threading.Lock()
        self._token: AccessTokenInfo | None = None
        self._renew_at = math.inf

    def token(self, deadline: Deadline, refused: AccessTokenInfo | None = None) -> AccessTokenInfo:
        """A token that is good now: not the `refused` one."""
        if not self._lock.acquire(timeout=deadline.call):
            raise Transient("Another send is still asking Microsoft Entra for a token.")
        try:
            is_refused = refused is not None and self._token is refused
            is_old = deadline.elapsed() >= self._renew_at
            if self._token is None or is_refused or is_old:
                self._token = None
                self._token = self._ask()
                lasts = self._token.expires_on - time.time()
                self._renew_at = deadline.elapsed() + max(lasts, 0) * 2 / 3
            return self._token
        finally:
            self._lock.release()

    def close(self) -> None:
        for transport in (self._guarded, self._own):
            transport.close()

    def _ask(self) -> AccessTokenInfo:
        """Asks anew: a client of Azure would answer with what it got before."""
        failure: Exception
        try:
            with self._credential() as credential:
                token: AccessTokenInfo = credential.get_token_info(
                    f"https://{self._cloud.vaults}/.default"
                )
                return token
        except UNANSWERED as error:
            failure = unanswered(error)
        raise failure

    def _credential(self) -> Any:
        """The login host is the cloud's, never one that a vault names."""
        there = {"authority": self._cloud.authority, "transport": self._guarded, **ONE_TRY}
        auth = self._auth
        if isinstance(auth, AppAuth):
            return ClientSecretCredential(
                auth.tenant_id,
                auth.client_id,
                auth.client_secret.get_secret_value(),
                disable_instance_discovery=True,
                **there,
            )
        token_file = os.environ.get(_TOKEN_FILE)
        if isinstance(auth, WorkloadIdentityAuth):
            if not token_file:
                raise Misconfigured(
                    f"Keyturn's own host has no workload identity: {_TOKEN_FILE} is not set."
                )
            return WorkloadIdentityCredential(
                tenant_id=auth.tenant_id,
                client_id=auth.client_id,
                token_file_path=token_file,
                **there,
            )
        if auth is None and token_file:
            return WorkloadIdentityCredential(**there)
        client_id = auth.client_id if isinstance(auth, ManagedIdentityAuth) else None
        return ManagedIdentityCredential(
            client_id=client_id,
            _exclude_workload_identity_credential=True,  # it would not be the guarded one
            transport=self._own,
            **ONE_TRY,
        )


class Bearer:
    """What Azure's client of one send asks for a token; asked again, it was refused the last."""

    def __init__(self, identity: Identity, deadline: Deadline) -> None:
        self._identity = identity
        self._deadline = deadline
        self._last: AccessTokenInfo | None = None

    def get_token_info(self, *_scopes: str, options: Any = None) -> AccessTokenInfo:
        """The scope and the tenant that a vault's challenge names are not looked at."""
        self._last = self._identity.token(self._deadline, refused=self._last)
        return self._last
