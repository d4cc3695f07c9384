"""Azure Key Vault: a secret's value is the token, or the document that the place asks for.

Value, tags and end are one call, so that a version says itself whose and which it is. Every call
that sets a value makes a version: what is current is read before one is made, and after.
"""

import re
import threading
from datetime import timedelta
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field, PrivateAttr

from core.errors import PlaceRefused, Transient
from core.plugins import Pace, Ports
from sinks.azure.auth import AzureAuth
from sinks.azure.identity import CLOUDS, Identity, demand_ambient
from sinks.azure.secret import VaultSecret
from sinks.azure.version import Stored
from sinks.azure.wire import Timed
from sinks.base import Copy, Held, Removal, Sink
from sinks.deadline import Deadline
from sinks.endpoint import CaBundle, TrustFile

# A challenge, a login (2); read, write, look for what was deleted, recover, write, read; and one
# of them again after another login (3).
_CALLS = 12
_PROBE = "keyturn-check"
_PART = re.compile(r"[0-9a-z]+(-[0-9a-z]+)*")
_LONGEST_NAME = 127


class _Connected(NamedTuple):
    identity: Identity
    wire: Timed
    trust: TrustFile | None


class KeyVaultSink(Sink):
    """Writes tokens into an Azure Key Vault, one secret per place."""

    kind: ClassVar[str] = "azure/vault"
    provider: ClassVar[str] = "azure"
    title: ClassVar[str] = "Azure Key Vault"
    # "Cache secrets in your application for at least eight hours."
    # learn.microsoft.com/azure/key-vault/secrets/secrets-best-practices
    usual_refresh: ClassVar[timedelta] = timedelta(hours=8)

    key_vault_name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$", description="The vault's name."
    )
    auth_data: AzureAuth | None = Field(
        default=None, description="Left out: the identity of Keyturn's own host."
    )
    cloud: Literal["public", "china", "us-government"] = Field(
        default="public", description="Which of Microsoft's clouds the vault is in."
    )
    purge: bool = Field(
        default=False, description="A removed secret is destroyed, and not kept to be recovered."
    )
    ca_bundle: CaBundle | None = Field(
        default=None, repr=False, description="PEM text of the authorities that sign Azure's TLS."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _connected: _Connected | None = PrivateAttr(default=None)

    @property
    def pace(self) -> Pace:
        """300 new versions in 10 seconds per vault and region.

        learn.microsoft.com/azure/key-vault/general/service-limits; reading has a quota of its
        own, 4,000 calls in 10 seconds, so that a send costs one.
        """
        return Pace(per_second=30, cost=1, concurrency=16, send_limit=_CALLS * self.timeout)

    def quota_key(self, address: str) -> str | None:
        return self._host

    def place(self, path: str) -> str:
        """Small letters, since Azure does not tell them from capitals; `--` is a slash."""
        parts = [part for part in path.lower().replace("--", "/").split("/") if part]
        if not parts or not all(map(_PART.fullmatch, parts)):
            raise PlaceRefused(
                "a path has parts of letters and digits with single hyphens between them"
            )
        if len("--".join(parts)) > _LONGEST_NAME:
            raise PlaceRefused(f"a secret's name has at most {_LONGEST_NAME} characters")
        return "/".join(parts)

    def check(self, ports: Ports) -> str:
        """Reads `keyturn-check`, and writes nothing."""
        self._secret(_PROBE, ports).current()
        return f"{self._host} answers and lets secrets be read; writing was not tried."

    def put(self, copy: Copy, ports: Ports) -> Held:
        secret = self._secret(copy.path, ports)
        stored = secret.current()
        if stored is not None and (not copy.may_follow(stored.mark) or stored.bears(copy)):
            return stored.held
        if not secret.write(copy):
            deleted = secret.deleted()
            if deleted is None:
                raise Transient("The secret is being deleted, recovered or purged at this moment.")
            if not copy.may_follow(deleted.mark):
                return deleted.held
            secret.recover()
            if not deleted.bears(copy) and not secret.write(copy):
                raise Transient("Azure is still recovering the secret, which was deleted.")
        return _confirm(secret.current(), copy)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """Somebody else's version over ours reads as revision 0."""
        stored = self._secret(path, ports).current()
        return stored.held if stored else None

    def remove(self, removal: Removal, ports: Ports) -> None:
        secret = self._secret(removal.path, ports)
        stored = secret.current()
        if stored is not None and stored.place == removal.place:
            secret.delete()
            if self.purge:
                secret.purge()
        elif stored is None and self.purge:
            deleted = secret.deleted()
            if deleted is not None and deleted.place == removal.place:
                secret.purge()

    def close(self) -> None:
        with self._lock:
            connected, self._connected = self._connected, None
        if connected is not None:
            connected.identity.close()
            connected.wire.close()
            if connected.trust is not None:
                connected.trust.remove()

    @property
    def _host(self) -> str:
        return f"{self.key_vault_name.lower()}.{CLOUDS[self.cloud].vaults}"

    def _secret(self, path: str, ports: Ports) -> VaultSecret:
        demand_ambient(self.auth_data, ports)
        deadline = Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout)
        there = self._connection(ports)
        name = path.replace("/", "--")
        return VaultSecret(f"https://{self._host}", there.identity, there.wire, deadline, name)

    def _connection(self, ports: Ports) -> _Connected:
        with self._lock:
            if self._connected is None:
                trust = TrustFile(self.ca_bundle) if self.ca_bundle else None
                trusted = trust.path if trust else None
                identity = Identity(
                    self.auth_data,
                    CLOUDS[self.cloud],
                    dialer=ports.dialer,
                    trusted=trusted,
                    timeout=self.timeout,
                )
                wire = Timed(self.timeout, ports.dialer, trusted)
                self._connected = _Connected(identity, wire, trust)
            return self._connected


def _confirm(stored: Stored | None, copy: Copy) -> Held:
    """What is current now; Transient if that is not this copy, or a newer one."""
    if stored is None:
        raise Transient("Key Vault does not show yet what was written, or it was removed.")
    mark = stored.mark
    if mark is None or mark.place != copy.mark.place or mark < copy.mark:
        raise Transient("The secret was written at the same moment.")
    return stored.held
