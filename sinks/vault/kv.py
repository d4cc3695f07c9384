"""HashiCorp Vault and OpenBao: the KV v2 engine, written by check-and-set.

A secret is `{"token": "<token>"}`; its mark stands in custom_metadata. The order of writing
makes every crash harmless: first whose it is, then the data, then which revision it is. With a
key, a place is one entry of a secret (`sinks.vault.entries`).
"""

import hmac
import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints

from core.errors import PlaceRefused, Transient
from core.plugins import Pace, Ports
from sinks.base import Copy, Held, Removal, Sink, mark_metadata
from sinks.deadline import Deadline
from sinks.endpoint import Address, CaBundle
from sinks.entries import keys_refused
from sinks.paths import tidied
from sinks.vault.auth import VaultAuth
from sinks.vault.entries import check_key, put_entry, read_entry, remove_entry
from sinks.vault.secret import VERSION, Connection, Stored, VaultSecret

# Log in; read, claim and read again; read the data, write them; describe and read back.
_CALLS = 8
_PROBE = "keyturn-check"

KvPath = Annotated[str, StringConstraints(max_length=512), AfterValidator(tidied)]


class VaultSink(Sink):
    """Writes tokens into a KV version 2 secrets engine."""

    kind: ClassVar[str] = "hashicorp/vault"
    provider: ClassVar[str] = "hashicorp"
    title: ClassVar[str] = "HashiCorp Vault (KV v2)"
    # Vault Agent renders a secret without a lease again about every 5 minutes, at random: twice
    # that is safe. developer.hashicorp.com/vault/docs/agent-and-proxy/agent/template
    usual_refresh: ClassVar[timedelta] = timedelta(minutes=10)

    vault_url: Address = Field(description="Where Vault answers: https://vault.example.com:8200.")
    kv_mount_path: Annotated[KvPath, StringConstraints(min_length=1)] = Field(
        description="The mount path of the KV v2 engine."
    )
    root_path: KvPath | None = Field(default=None, description="Goes before every secret path.")
    namespace: Annotated[str, StringConstraints(max_length=255)] | None = Field(
        default=None, description="Vault Enterprise's or OpenBao's namespace."
    )
    auth_data: VaultAuth = Field(discriminator="type", description="How Keyturn logs in.")
    ca_bundle: CaBundle | None = Field(
        default=None, repr=False, description="PEM text of the authorities that sign Vault's TLS."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _connection: Connection | None = PrivateAttr(default=None)

    @property
    def pace(self) -> Pace:
        """Vault publishes no rate; its operators may set one, which answers 429."""
        return Pace(concurrency=8, send_limit=_CALLS * self.timeout)

    def quota_key(self, address: str) -> str | None:
        host = self.vault_url.split("://", 1)[1].split("/", 1)[0].lower()
        return f"{host}/{self.namespace or ''}".rstrip("/")

    def place(self, path: str) -> str:
        try:
            place = tidied(path)
        except ValueError as error:
            raise PlaceRefused(str(error)) from None
        if not place:
            raise PlaceRefused("a path has at least one part")
        return place

    def key(self, given: str | None) -> str:
        return check_key(given)

    def check(self, ports: Ports) -> str:
        """Writes and removes the metadata of `keyturn-check`, and no data."""
        probe = self._secret(_PROBE, ports)
        version = probe.health().get("version", "of an unknown version")
        policies = ", ".join(probe.lease().policies) or "unknown"
        probe.describe({"managed-by": "keyturn-check"})
        probe.stored()  # refuses an engine that is not KV v2
        probe.delete()
        return (
            f"Vault {version} answers; the token's policies are {policies}; "
            f"{self.kv_mount_path} is KV v2 and can be written."
        )

    def put(self, copy: Copy, ports: Ports) -> Held:
        secret = self._secret(copy.path, ports)
        if copy.key:
            return put_entry(secret, copy)
        stored = secret.stored()
        if stored is not None and stored.keys and not stored.mark:
            raise keys_refused(copy.where)
        if stored is not None and not copy.may_follow(stored.mark):
            return stored.held
        if stored is None or stored.mark is None or stored.mark.place != copy.mark.place:
            stored = _claim(secret, copy)
        document = copy.entries
        version = stored.version
        if not (version and _agree(secret.document(), document)):
            version = secret.write(document, cas=version)
        bearings = {**copy.metadata(), VERSION: str(version)}
        if stored.metadata != bearings:
            secret.describe(bearings)
        elif version == stored.version:
            return stored.held  # nothing was written, all of it was read just now
        return _confirm(secret, copy, version)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        secret = self._secret(path, ports)
        if key:
            return read_entry(secret, key)
        stored = secret.stored()
        return None if stored is None or stored.is_gone else stored.seen

    def remove(self, removal: Removal, ports: Ports) -> None:
        secret = self._secret(removal.path, ports)
        if removal.key:
            remove_entry(secret, removal)
            return
        stored = secret.stored()
        if stored is not None and stored.mark and stored.mark.place == removal.place:
            secret.delete()

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _secret(self, path: str, ports: Ports) -> VaultSecret:
        return VaultSecret(
            self._connected(ports),
            ports.clock,
            Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout),
            mount=self.kv_mount_path,
            path=f"{self.root_path}/{path}" if self.root_path else path,
        )

    def _connected(self, ports: Ports) -> Connection:
        with self._lock:
            if self._connection is None:
                self._connection = Connection(
                    ports,
                    self.vault_url.rstrip("/"),
                    self.namespace,
                    self.auth_data,
                    self.ca_bundle,
                )
            return self._connection


def _claim(secret: VaultSecret, copy: Copy) -> Stored:
    """Says whose the secret is before there are data: a crash then leaves it ours, not foreign."""
    secret.describe(mark_metadata(replace(copy.mark, revision=0)))
    stored = secret.stored()
    if stored is None or stored.mark is None or stored.mark.place != copy.mark.place:
        raise Transient("The secret was claimed at the same moment.")
    return stored


def _confirm(secret: VaultSecret, copy: Copy, version: int) -> Held:
    """What the secret holds now; Transient if another write came between."""
    stored = secret.stored()
    mark = stored.mark if stored else None
    if stored is None or mark is None or mark.place != copy.mark.place or mark < copy.mark:
        raise Transient("The secret's mark was changed at the same moment.")
    if mark == copy.mark and stored.version != version:
        raise Transient("The secret was written at the same moment.")
    return stored.held


def _agree(held: Any, document: dict[str, str]) -> bool:
    """Whether the stored data are exactly the document; takes as long wherever they differ."""
    stored = json.dumps(held, sort_keys=True).encode()
    return hmac.compare_digest(stored, json.dumps(document, sort_keys=True).encode())
