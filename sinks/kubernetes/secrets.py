"""Kubernetes Secrets: a place is one key of a Secret, whose other keys stay.

Value and mark are one call, bound to the resourceVersion that was read: so nothing that another
writer changed in between is lost, and a crash leaves nothing that could be taken for foreign.
"""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from core.ids import Mark, new_id
from core.plugins import Pace, Ports
from sinks.base import MANAGED_BY, Copy, Held, Removal, Sink
from sinks.deadline import Deadline
from sinks.endpoint import Address, CaBundle
from sinks.entries import confirmed
from sinks.kubernetes.access import Access, InClusterAuth, TokenAuth
from sinks.kubernetes.kubeconfig import KubeconfigAuth, read_kubeconfig
from sinks.kubernetes.names import (
    DEFAULT_KEY,
    LabelKey,
    LabelValue,
    Namespace,
    SecretType,
    check_key,
    split_path,
)
from sinks.kubernetes.secret import KubernetesSecret, New, Stored
from sinks.kubernetes.wire import Wire

# Read, write, read back; once of them again with a token that was renewed.
_CALLS = 4
_PROBE = "keyturn-check"
_MANAGED = "app.kubernetes.io/managed-by"


class KubernetesSecretsSink(Sink):
    """Writes tokens into the Secrets of a cluster."""

    kind: ClassVar[str] = "kubernetes/secret"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "Kubernetes Secrets"

    auth_data: Annotated[
        TokenAuth | KubeconfigAuth | InClusterAuth, Field(discriminator="type")
    ] = Field(description="In whose name Keyturn calls the cluster.")
    server: Address | None = Field(
        default=None, description="Where the cluster's API answers, for a token."
    )
    namespace: Namespace = Field(
        default="default", description="Where paths of a name alone lie, and the check looks."
    )
    secret_type: SecretType = Field(
        default="Opaque", description="The type of the secrets that Keyturn creates."
    )
    labels: Mapping[LabelKey, LabelValue] | None = Field(
        default=None, max_length=40, description="Put on the secrets that Keyturn creates."
    )
    ca_bundle: CaBundle | None = Field(
        default=None, repr=False, description="PEM text of the authorities that sign its TLS."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _wire: Wire | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """The host's own identity goes to no address that somebody gives."""
        is_token = isinstance(self.auth_data, TokenAuth)
        if is_token and self.server is None:
            raise ValueError("server: say where the cluster's API answers")
        if not is_token and (self.server or self.ca_bundle):
            raise ValueError("server and ca_bundle go with a token; a kubeconfig has its own")
        return self

    @property
    def pace(self) -> Pace:
        """No rate is published: the API's priority and fairness answers 429."""
        return Pace(concurrency=8, send_limit=_CALLS * self.timeout)

    def quota_key(self, address: str) -> str | None:
        server = self.server
        if isinstance(self.auth_data, KubeconfigAuth):
            server = read_kubeconfig(self.auth_data.kubeconfig).server
        return server.split("://", 1)[1].split("/", 1)[0].lower() if server else "in-cluster"

    def place(self, path: str) -> str:
        """Always with its namespace, so that a place has one spelling."""
        return "/".join(split_path(path, self.namespace))

    def key(self, given: str | None) -> str:
        return check_key(given)

    def check(self, ports: Ports) -> str:
        """Reads `keyturn-check` in the default namespace, and tries there to create it."""
        secret = self._secret(_PROBE, ports)
        version = secret.version()
        if secret.stored() is None:
            nothing = Copy(_PROBE, SecretStr("check"), Mark(0, 0, new_id()), key=DEFAULT_KEY)
            secret.create(nothing, self._new(), dry_run=True)
        return (
            f"Kubernetes {version} answers; secrets in the namespace {self.namespace} can be "
            "read and created, changing one was not tried."
        )

    def put(self, copy: Copy, ports: Ports) -> Held:
        copy = replace(copy, key=copy.key or DEFAULT_KEY)
        secret = self._secret(copy.path, ports)
        stored = secret.stored()
        if stored is None:
            secret.create(copy, self._new())
        else:
            entry = stored.entry(copy.key)
            if not entry.may_take(copy) or entry.bears(copy):
                return Held(entry.newest, stored.version)
            secret.write(copy, stored)
        return confirmed(_held(secret.stored(), copy.key), copy)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """Somebody else's value beside our mark reads as revision 0."""
        return _held(self._secret(path, ports).stored(), key or DEFAULT_KEY)

    def remove(self, removal: Removal, ports: Ports) -> None:
        secret = self._secret(removal.path, ports)
        stored = secret.stored()
        key = removal.key or DEFAULT_KEY
        newest = stored.entry(key).newest if stored else None
        if stored is not None and newest is not None and newest.place == removal.place:
            secret.take_away(key, stored)

    def close(self) -> None:
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _new(self) -> New:
        return New(self.secret_type, {_MANAGED: MANAGED_BY, **(self.labels or {})})

    def _secret(self, path: str, ports: Ports) -> KubernetesSecret:
        namespace, name = split_path(path, self.namespace)
        deadline = Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout)
        return KubernetesSecret(
            self._connected(ports),
            lambda: self._token(ports),
            deadline,
            namespace=namespace,
            name=name,
        )

    def _connected(self, ports: Ports) -> Wire:
        with self._lock:
            if self._wire is None:
                self._wire = Wire(ports.dialer, self._access(ports))
            return self._wire

    def _token(self, ports: Ports) -> SecretStr | None:
        """As it is now: a pod's is replaced every hour or so."""
        if isinstance(self.auth_data, InClusterAuth):
            return self.auth_data.access(ports).token
        return self._connected(ports).token

    def _access(self, ports: Ports) -> Access:
        if isinstance(self.auth_data, InClusterAuth):
            return self.auth_data.access(ports)
        if isinstance(self.auth_data, KubeconfigAuth):
            return read_kubeconfig(self.auth_data.kubeconfig)
        assert self.server is not None
        return Access(self.server, self.ca_bundle, self.auth_data.token)


def _held(stored: Stored | None, key: str) -> Held | None:
    return stored.entry(key).held(stored.version) if stored else None
