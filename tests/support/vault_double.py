"""A Vault server: one KV version 2 mount, tokens, logins, policies, namespaces, the seal."""

import json
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.support.http_double import Answer, HttpDouble, Request

EVERYTHING = {"": ("create", "read", "update", "delete", "list")}
VERBS = {"GET": "read", "LIST": "list", "POST": "write", "PUT": "write", "DELETE": "delete"}
VERBS |= {"PATCH": "patch"}
MARKS = ("delete", "undelete", "destroy")
NO_SUCH_TOKEN = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
NOT_BY_POLICY = "1 error occurred:\n\t* permission denied\n\n"
KV1_PATH = "Invalid path for a versioned K/V secrets engine. See the API docs."
RATE_LIMIT = 'request path "secret": rate limit quota exceeded'
REASONS = {403: "permission denied", 429: RATE_LIMIT, 500: "internal error", 503: "Vault is sealed"}


class RefusedError(Exception):
    """A refusal: Vault's status and its list of errors."""

    def __init__(self, status: int, *errors: str) -> None:
        self.answer = Answer.of({"errors": list(errors)}, status)


def envelope(data: Any, status: int = 200, **more: Any) -> Answer:
    """Wrap an answer as Vault wraps each that has a body."""
    frame = {"request_id": str(uuid4()), "lease_id": "", "renewable": False, "lease_duration": 0}
    empty = {"wrap_info": None, "warnings": None, "auth": None, "mount_type": "kv"}
    return Answer.of({**frame, "data": data, **empty, **more}, status)


@dataclass
class Secret:
    """A path: its kept versions by number and the metadata above them."""

    created_time: str
    updated_time: str
    custom_metadata: dict[str, str] | None = None
    cas_required: bool = False
    max_versions: int = 0
    delete_version_after: str = "0s"
    current_version: int = 0
    oldest_version: int = 0
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    data: dict[int, dict[str, Any]] = field(default_factory=dict, repr=False)

    def write(self, data: dict[str, Any], now: str) -> None:
        new = self.current_version + 1
        self.current_version, self.updated_time, self.data[new] = new, now, data
        self.versions[new] = {"created_time": now, "deletion_time": "", "destroyed": False}
        kept = self.max_versions or 10  # the mount's default
        if len(self.versions) > kept:
            self.oldest_version = new - kept + 1
            self.versions = dict(list(self.versions.items())[-kept:])

    def readable(self, number: int) -> dict[str, Any] | None:
        state = self.versions[number]
        return None if state["deletion_time"] or state["destroyed"] else self.data[number]

    def about(self, number: int) -> dict[str, Any]:
        return self.versions[number] | {"custom_metadata": self.custom_metadata, "version": number}


@dataclass
class KeyValueStore:
    """What one namespace keeps in the mount; methods are named `<verb>_<kind>` after the API."""

    now: Callable[[], str]
    secrets: dict[str, Secret] = field(default_factory=dict)

    def write_data(self, path: str, request: Request) -> Answer:
        body = request.json() or {}
        if not isinstance(body.get("data"), dict):
            raise RefusedError(400, "no data provided")
        secret = self.secrets.get(path) or Secret(self.now(), self.now())
        expected = (body.get("options") or {}).get("cas")
        if expected is None and secret.cas_required:
            raise RefusedError(400, "check-and-set parameter required for this call")
        if expected is not None and int(expected) != secret.current_version:
            raise RefusedError(400, "check-and-set parameter did not match the current version")
        secret.write(body["data"], self.now())
        self.secrets[path] = secret
        return envelope(secret.about(secret.current_version))

    def read_data(self, path: str, request: Request) -> Answer:
        secret = self.secrets.get(path) or Secret("", "")
        number = int(request.query.get("version") or 0) or secret.current_version
        if number not in secret.versions:
            raise RefusedError(404)
        found = {"data": secret.readable(number), "metadata": secret.about(number)}
        return envelope(found, 200 if found["data"] is not None else 404)

    def delete_data(self, path: str, _: Request) -> Answer:
        return self.mark("delete", path, [self.secrets.get(path, Secret("", "")).current_version])

    def read_metadata(self, path: str, _: Request) -> Answer:
        if path not in self.secrets:
            raise RefusedError(404)
        metadata = vars(self.secrets[path])
        return envelope({name: metadata[name] for name in metadata if name != "data"})

    def write_metadata(self, path: str, request: Request) -> Answer:
        body = request.json() or {}
        marks = body.get("custom_metadata") or {}
        if len(marks) > 64 or any(len(k) > 128 or len(v) > 512 for k, v in marks.items()):
            raise RefusedError(400, "custom_metadata validation failed: too many or too long")
        secret = self.secrets.setdefault(path, Secret(self.now(), self.now()))
        for name in ("custom_metadata", "max_versions", "cas_required", "delete_version_after"):
            setattr(secret, name, body.get(name, getattr(secret, name)))
        return Answer(204)

    def patch_metadata(self, path: str, request: Request) -> Answer:
        if request.headers["Content-Type"] != "application/merge-patch+json":
            raise RefusedError(415, "PATCH requires Content-Type of application/merge-patch+json")
        if path not in self.secrets:
            return Answer(404)
        held = self.secrets[path].custom_metadata or {}
        marks = {**held, **request.json()["custom_metadata"]}
        kept = {name: text for name, text in marks.items() if text is not None}
        body = json.dumps({"custom_metadata": kept}).encode()
        return self.write_metadata(path, replace(request, body=body))

    def delete_metadata(self, path: str, _: Request) -> Answer:
        self.secrets.pop(path, None)
        return Answer(204)

    def list_metadata(self, path: str, _: Request) -> Answer:
        below = f"{path}/" if path else ""
        found = [name.removeprefix(below) for name in self.secrets if name.startswith(below)]
        if not found:
            raise RefusedError(404)
        return envelope({"keys": sorted({re.sub(r"/.*", "/", name) for name in found})})

    def mark(self, kind: str, path: str, numbers: Sequence[int]) -> Answer:
        """Delete, undelete or destroy the named versions; those not there are passed over."""
        versions = self.secrets[path].versions if path in self.secrets else {}
        for state in [versions[number] for number in numbers if number in versions]:
            if kind == "destroy":
                state["destroyed"] = True
            else:
                state["deletion_time"] = self.now() if kind == "delete" else ""
        return Answer(204)


@dataclass
class Token:
    """A service token: `ttl` 0 has no end, `num_uses` 0 knows no limit."""

    creation_time: float
    policies: Sequence[str] = ("root",)
    ttl: int = 1200
    renewable: bool = True
    num_uses: int = 0
    namespace: str = ""
    meta: Mapping[str, str] | None = None
    path: str = "auth/token/create"
    accessor: str = field(default_factory=lambda: uuid4().hex)
    id: str = field(default_factory=lambda: f"hvs.{uuid4().hex}")

    @property
    def end(self) -> float:
        return self.creation_time + self.ttl if self.ttl else float("inf")

    def auth(self) -> dict[str, Any]:
        same = {name: getattr(self, name) for name in ("accessor", "renewable", "num_uses")}
        policies = {"policies": [*self.policies], "token_policies": [*self.policies]}
        known = {"client_token": self.id, "metadata": self.meta, "lease_duration": self.ttl}
        fixed = {"entity_id": "", "token_type": "service", "orphan": True, "mfa_requirement": None}
        return {**same, **policies, **known, **fixed}


@dataclass(frozen=True)
class Role:
    """A role of an auth method: the JWT that it takes, and the fields of its tokens."""

    method: str
    jwt: str
    token: Mapping[str, Any]


class VaultDouble(HttpDouble):
    """Vault with a KV v2 engine at `mount`; every namespace a client names exists.

    `policies[name]` is {path prefix: capabilities}, the longest fitting prefix wins; "root" permits
    everything. Tokens age by `clock`, which a test may replace.
    """

    def __init__(self, *, mount: str = "secret", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.mount = mount
        self.clock: Callable[[], float] = time.time
        self.sealed = False
        self.policies: dict[str, Mapping[str, Sequence[str]]] = {"root": EVERYTHING}
        self.root_token = "hvs.root"
        self._stores: dict[str, KeyValueStore] = {}
        self.approles: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.roles: dict[tuple[str, str], Role] = {}
        self._tokens = {self.root_token: Token(0, ttl=0, renewable=False, id=self.root_token)}

    def versions(self, path: str, namespace: str = "") -> list[tuple[int, dict[str, Any] | None]]:
        """The kept versions in order; the data of a deleted or destroyed one is None."""
        secret = self._store(namespace).secrets.get(path)
        return [(number, secret.readable(number)) for number in secret.versions] if secret else []

    def custom_metadata(self, path: str, namespace: str = "") -> dict[str, str] | None:
        return self._store(namespace).secrets.get(path, Secret("", "")).custom_metadata

    def create_token(self, **token: Any) -> str:
        """Fields of `Token`: policies, ttl (seconds), renewable, num_uses, namespace, meta."""
        made = Token(self.clock(), **token)
        return self._tokens.setdefault(made.id, made).id

    def add_approle(self, role_id: str, secret_id: str, **token: Any) -> None:
        """A login with the pair gives a token with the fields that `create_token` takes."""
        made = {"namespace": "", "meta": {"role_name": role_id}, **token}
        self.approles[made["namespace"], role_id, secret_id] = made

    def add_role(self, method: str, name: str, jwt: str, mount: str = "", **token: Any) -> None:
        """A login by this JWT as this role of the method `kubernetes` or `jwt` gives a token."""
        at = f"{token.get('namespace', '')}/auth/{mount or method}/login".lstrip("/")
        self.roles[at, name] = Role(method, jwt, {"namespace": "", "meta": {"role": name}, **token})

    def expire_tokens(self) -> None:
        """Every token but the root token has come to its end."""
        self._tokens = {self.root_token: self._tokens[self.root_token]}

    def refusal(self, status: int) -> Answer:
        if status in {502, 504}:
            return Answer.of(f"<html><body><h1>{status}</h1></body></html>", status, "text/html")
        return Answer.of({"errors": [REASONS[status]] if status in REASONS else []}, status)

    def answer(self, request: Request) -> Answer:
        path = request.path.removeprefix("/v1/").strip("/")
        namespace = (request.headers.get("X-Vault-Namespace") or "").strip("/")
        if path in {"sys/health", "sys/seal-status", "sys/unseal"}:
            return self._health(path)
        if self.sealed:
            return self.refusal(503)
        try:
            if path == "auth/approle/login":
                return self._log_in(namespace, request)
            if path.startswith("auth/") and path.endswith("/login"):
                return self._exchange(f"{namespace}/{path}".lstrip("/"), request)
            token = self._token(namespace, request)
            return self._itself(token, path, request) or self._stored(
                token, namespace, path, request
            )
        except RefusedError as refused:
            return refused.answer

    def _health(self, path: str) -> Answer:
        self.sealed = self.sealed and path != "sys/unseal"
        status = 503 if self.sealed and path == "sys/health" else 200
        state = {"initialized": True, "sealed": self.sealed, "standby": False, "t": 1, "n": 1}
        return Answer.of({**state, "progress": 0, "version": "1.20.0"}, status)

    def _log_in(self, namespace: str, request: Request) -> Answer:
        ids = request.json() or {}
        role = self.approles.get((namespace, ids.get("role_id"), ids.get("secret_id")))
        if role is None:
            raise RefusedError(400, "invalid role or secret ID")
        return envelope(None, auth=self._tokens[self.create_token(**role)].auth(), mount_type="")

    def _exchange(self, at: str, request: Request) -> Answer:
        given = request.json() or {}
        mounted = [role.method for (place, _), role in self.roles.items() if place == at]
        if not mounted:
            raise RefusedError(403, "permission denied")
        role = self.roles.get((at, given.get("role")))
        if mounted[0] == "kubernetes":
            if role is None:
                raise RefusedError(400, f'invalid role name "{given.get("role")}"')
            if role.jwt != given.get("jwt"):
                raise RefusedError(403, "service account name not authorized")
        else:
            if role is None:
                raise RefusedError(400, f'role "{given.get("role")}" could not be found')
            if role.jwt != given.get("jwt"):
                raise RefusedError(400, "error validating token: expired or not signed by us")
        token = self._tokens[self.create_token(**role.token)]
        return envelope(None, auth=token.auth(), mount_type="")

    def _token(self, namespace: str, request: Request) -> Token:
        given = request.headers.get("X-Vault-Token")
        token = self._tokens.get(given or "")
        if token is None or token.end <= self.clock():
            raise RefusedError(403, NO_SUCH_TOKEN if given else "permission denied")
        if token.namespace and not f"{namespace}/".startswith(f"{token.namespace}/"):
            raise RefusedError(403, NOT_BY_POLICY)
        if token.num_uses == 1:  # the last use is still served
            del self._tokens[token.id]
        token.num_uses = max(token.num_uses - 1, 0)
        return token

    def _itself(self, token: Token, path: str, request: Request) -> Answer | None:
        if path == "auth/token/lookup-self":
            about = {**asdict(token), "creation_ttl": token.ttl, "type": "service", "orphan": True}
            about["expire_time"] = self._timestamp(token.end) if token.ttl else None
            about["ttl"] = int(token.end - self.clock()) if token.ttl else 0
            return envelope(about, mount_type="token")
        if path == "auth/token/renew-self":
            if not token.renewable:
                raise RefusedError(400, "lease is not renewable")
            increment = str((request.json() or {}).get("increment") or token.ttl)
            token.creation_time, token.ttl = self.clock(), int(increment.rstrip("s"))
            return envelope(None, auth=token.auth(), mount_type="token")
        if path == "auth/token/revoke-self":
            self._tokens.pop(token.id, None)
            return Answer(204)
        if path == "sys/seal" and token.id == self.root_token:
            self.sealed = True
            return Answer(204)
        return None

    def _stored(self, token: Token, namespace: str, path: str, request: Request) -> Answer:
        verb = "list" if request.query.get("list") == "true" else VERBS.get(request.method, "")
        kind, _, name = path.removeprefix(f"{self.mount}/").partition("/")
        store = self._store(namespace)
        writing = "update" if name in store.secrets or kind in MARKS else "create"
        capability = writing if verb == "write" else verb
        if not self._permits(token, f"{path}/" if verb == "list" else path, capability):
            raise RefusedError(403, NOT_BY_POLICY)
        if not path.startswith(f"{self.mount}/"):
            raise RefusedError(404, f'no handler for route "{path}". route entry not found.')
        if verb == "write" and kind in MARKS:
            return store.mark(kind, name, [int(it) for it in request.json()["versions"]])
        if kind not in {"data", "metadata"}:
            return envelope(None, 404, warnings=[KV1_PATH])
        return getattr(store, f"{verb}_{kind}")(name, request)

    def _permits(self, token: Token, path: str, capability: str) -> bool:
        rules = [rule for name in token.policies for rule in self.policies.get(name, {}).items()]
        fitting = [rule for rule in rules if path.startswith(rule[0].rstrip("*"))]
        return capability in max(fitting, key=lambda it: len(it[0]), default=("", ()))[1]

    def _store(self, namespace: str) -> KeyValueStore:
        return self._stores.setdefault(namespace, KeyValueStore(self._timestamp))

    def _timestamp(self, at: float | None = None) -> str:
        return f"{datetime.fromtimestamp(at or self.clock(), UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"
