"""One Secret of a cluster, as one send sees it."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from core.errors import DestinationRefused, PlaceRefused, Transient
from sinks.base import MANAGED_BY, Copy
from sinks.deadline import Deadline
from sinks.entries import Entry, Said, said_of
from sinks.kubernetes.errors import Changed, Missing, Unauthorized, not_kubernetes
from sinks.kubernetes.names import CREATED, annotation, is_entry
from sinks.kubernetes.wire import MERGE, Wire

Login = Callable[[], SecretStr | None]

_LARGEST = 1_048_576  # bytes, all values of a secret together


@dataclass(frozen=True)
class Stored:
    """A Secret as it was read; `version` is its resourceVersion."""

    version: str
    uid: str
    data: Mapping[str, str] = field(repr=False)
    annotations: Mapping[str, str]
    is_immutable: bool

    def entry(self, key: str) -> Entry:
        value = self.data.get(key)
        said = Said.of_text(self.annotations.get(annotation(key)))
        return Entry(None if value is None else _decoded(value), said)

    def is_ours_alone(self, key: str) -> bool:
        """Whether Keyturn made it and nothing but this key is in it."""
        others = [it for it in self.annotations if is_entry(it) and it != annotation(key)]
        return self.annotations.get(CREATED) == MANAGED_BY and not (
            self.data.keys() - {key} or others
        )


@dataclass(frozen=True)
class New:
    """What a secret is made with."""

    kind: str
    labels: Mapping[str, str]


class KubernetesSecret:
    """The calls one send makes about one name; namespace and name are checked."""

    def __init__(
        self, wire: Wire, login: Login, deadline: Deadline, *, namespace: str, name: str
    ) -> None:
        """`login` answers the token as it is now."""
        self._wire = wire
        self._login = login
        self._deadline = deadline
        self._all = f"/api/v1/namespaces/{namespace}/secrets"
        self._own = f"{self._all}/{name}"
        self._namespace = namespace
        self._name = name
        self._token = login()

    def stored(self) -> Stored | None:
        """Reads it; None if it is not there."""
        try:
            found = self._call("GET", self._own)
        except Missing:
            return None
        return _stored(found)

    def create(self, copy: Copy, new: New, *, dry_run: bool = False) -> None:
        """Makes it with this copy as its only key; PlaceRefused if there is no such namespace."""
        body = {"apiVersion": "v1", "kind": "Secret", "type": new.kind, **_written(copy)}
        body["metadata"] |= {"name": self._name, "labels": dict(new.labels)}
        body["metadata"]["annotations"][CREATED] = MANAGED_BY
        try:
            self._call("POST", self._all + ("?dryRun=All" if dry_run else ""), body)
        except Missing:
            failure: Exception = PlaceRefused(f"There is no namespace {self._namespace}.")
        except Changed:
            failure = Transient("The secret was created at the same moment.")
        else:
            return
        raise failure

    def write(self, copy: Copy, after: Stored) -> None:
        """Writes this copy's key and annotation and nothing else, if it is still as it was read."""
        others = sum(len(value) * 3 // 4 for key, value in after.data.items() if key != copy.key)
        if others + len(copy.text.get_secret_value().encode()) > _LARGEST:
            raise PlaceRefused("The secret would have more than 1 MiB, all its keys together.")
        self._change(_written(copy), after)

    def take_away(self, key: str, after: Stored) -> None:
        """Removes this key and its annotation, and the secret if Keyturn made it for just that."""
        if after.is_ours_alone(key):
            only_if = {"uid": after.uid, "resourceVersion": after.version}
            body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": only_if}
            self._bound("DELETE", body, {})
            return
        self._change(
            {"metadata": {"annotations": {annotation(key): None}}, "data": {key: None}}, after
        )

    def version(self) -> str:
        """The version of the cluster's API."""
        try:
            found = self._call("GET", "/version")
        except Missing:
            found = {}
        told = str(found.get("gitVersion", ""))[:40]
        return told if told.isascii() and told.isprintable() and told else "of an unknown version"

    def _change(self, patch: dict[str, Any], after: Stored) -> None:
        if after.is_immutable:
            raise PlaceRefused("The secret is immutable: delete it, or name another path.")
        patch["metadata"]["resourceVersion"] = after.version
        self._bound("PATCH", patch, {"Content-Type": MERGE})

    def _bound(self, method: str, body: Any, headers: Mapping[str, str]) -> None:
        """A change that is bound to the version that was read."""
        try:
            self._call(method, self._own, body, headers)
        except (Changed, Missing):
            pass
        else:
            return
        raise Transient("The secret was changed at the same moment.")

    def _call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Calls; a token that has ended is replaced once, if there is a newer one."""
        try:
            return self._sent(method, path, body, headers or {})
        except Unauthorized:
            refused, self._token = self._token, self._login()
        if self._token != refused:
            try:
                return self._sent(method, path, body, headers or {})
            except Unauthorized:
                pass
        raise DestinationRefused("The cluster does not take this token or client certificate.")

    def _sent(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        login = {}
        if self._token is not None:
            login = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        typed = {} if body is None else {"Content-Type": "application/json"}
        return self._wire.call(self._deadline, method, path, {**typed, **headers, **login}, body)


def _written(copy: Copy) -> dict[str, Any]:
    value = b64encode(copy.text.get_secret_value().encode()).decode()
    said = said_of(copy).text()
    return {"metadata": {"annotations": {annotation(copy.key): said}}, "data": {copy.key: value}}


def _stored(found: dict[str, Any]) -> Stored:
    metadata = found.get("metadata")
    if found.get("kind") != "Secret" or not isinstance(metadata, dict):
        raise not_kubernetes()
    return Stored(
        version=str(metadata.get("resourceVersion", "")),
        uid=str(metadata.get("uid", "")),
        data=_texts(found.get("data")),
        annotations=_texts(metadata.get("annotations")),
        is_immutable=found.get("immutable") is True,
    )


def _texts(given: Any) -> dict[str, str]:
    return {k: str(v or "") for k, v in given.items()} if isinstance(given, dict) else {}


def _decoded(value: str) -> SecretStr:
    """A value as text; bytes that are none stay what nobody else's text is."""
    try:
        return SecretStr(b64decode(value).decode())
    except ValueError:
        return SecretStr(f"base64:{value}")
