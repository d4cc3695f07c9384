"""Secret Manager over REST, with Google's token endpoint and a machine's metadata server."""

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import google_crc32c
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from core.clock import Clock
from sinks.google.identity import GoogleService
from tests.support.http_double import Answer, HttpDouble, Request

PROJECT, NUMBER = "keyturn-tests", "314159265358"
OURS = f"keyturn@{PROJECT}.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_STATES = {"ENABLED": 1, "DISABLED": 2, "DESTROYED": 3}
_NAME = re.compile(
    r"/v1/projects/(?P<project>[^/]+)(?P<region>/locations/[^/]+)?/secrets"
    r"(?:/(?P<id>[^/:]+))?(?:/versions(?:/(?P<version>[^/:]+))?)?(?P<verb>:[A-Za-z]+)?"
)
_PERMISSIONS = {
    "POST ": "secrets.create",
    "GET id": "secrets.get",
    "PATCH id": "secrets.update",
    "DELETE id": "secrets.delete",
    "POST id:addVersion": "versions.add",
    "GET versions": "versions.list",
    "GET version": "versions.get",
    "GET version:access": "versions.access",
    "POST version:enable": "versions.enable",
    "POST version:disable": "versions.disable",
    "POST version:destroy": "versions.destroy",
}


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def pem() -> str:
    return (
        private_key()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def key_file(email: str = OURS, **changed: Any) -> dict[str, Any]:
    """The document that Google gives out with a key."""
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "0123456789abcdef",
        "private_key": pem(),
        "client_email": email,
        "client_id": "1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
        **changed,
    }


@dataclass
class Version:
    data: bytes
    state: str = "ENABLED"


@dataclass
class Secret:
    """A secret; `changes` makes its etag."""

    name: str
    given: dict[str, Any] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    changes: int = 1

    @property
    def etag(self) -> str:
        return f'"{self.changes:x}"'

    @property
    def annotations(self) -> dict[str, str]:
        return dict(self.given.get("annotations") or {})


class Bad(Exception):
    """The answer is this error."""

    def __init__(self, status: int, message: str, code: str = "", **about: Any) -> None:
        super().__init__(message)
        self.answer = failure(status, message, code, **about)


def failure(
    status: int,
    message: str = "It failed.",
    code: str = "",
    *,
    reason: str = "",
    metadata: Mapping[str, str] | None = None,
    retry_delay: str = "",
) -> Answer:
    """An error as Google writes it."""
    details: list[dict[str, Any]] = []
    if reason:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        about = {"@type": kind, "reason": reason, "domain": "googleapis.com"}
        details.append({**about, "metadata": dict(metadata or {})})
    if retry_delay:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        details.append({"@type": kind, "retryDelay": retry_delay})
    error = {"code": status, "message": message, "status": code or _STATUS.get(status, "UNKNOWN")}
    return Answer.of({"error": {**error, **({"details": details} if details else {})}}, status)


class GoogleDouble(HttpDouble):
    """Answers whoever has a token of its own; `allowed` is what their role permits."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.secrets: dict[str, Secret] = {}
        self.tokens: set[str] = set()
        self.reset()

    def reset(self) -> None:
        self.secrets.clear()
        self.tokens.clear()
        self.issued = 0
        self.denied: set[str] = set()
        self.allowed = {f"secretmanager.{it}" for it in _PERMISSIONS.values()}
        self.is_enabled = True
        self.clock: Clock | None = None
        self.behind = 0  # how many of the newest versions are not named the latest yet
        self.clear()

    @property
    def service(self) -> GoogleService:
        """Where the sink finds this double."""
        return GoogleService(api=self.url, regional=self.url, tokens=f"{self.url}/token")

    def refusal(self, status: int) -> Answer:
        return failure(status)

    def write(self, name: str, value: str) -> None:
        """Somebody adds a version there, and makes the secret first if there is none."""
        secret = self.secrets.setdefault(name, Secret(name, {"replication": {"automatic": {}}}))
        secret.versions.append(Version(value.encode()))

    def answer(self, request: Request) -> Answer:
        handlers = {"/token": self._grant, "/sts": self._exchange}
        try:
            if request.path.startswith("/computeMetadata/") or request.path == "/":
                return self._metadata(request)
            if request.path in handlers:
                return handlers[request.path](request)
            return self._secret_manager(request)
        except Bad as bad:
            return bad.answer

    def _secret_manager(self, request: Request) -> Answer:
        named = self._admitted(request)
        kind = "id" if named["id"] else ""
        if "/versions" in request.path:
            kind = "version" if named["version"] else "versions"
        verb = f"{request.method} {kind}{named['verb'] or ''}"
        self._permit(_PERMISSIONS[verb], named["id"] or request.query.get("secretId", ""))
        body = request.json() or {}
        parent = f"projects/{PROJECT}{named['region'] or ''}"
        if verb == "POST ":
            return Answer.of(self._create(parent, request.query["secretId"], body))
        secret = self.secrets.get(f"{parent}/secrets/{named['id']}")
        if secret is None:
            raise Bad(404, f"Secret [projects/{NUMBER}/secrets/{named['id']}] not found.")
        if kind == "version":
            return Answer.of(self._version(secret, named["version"], named["verb"] or ""))
        if verb == "POST id:addVersion":
            return Answer.of(self._add(secret, body))
        if verb == "GET versions":
            return Answer.of(self._list(secret, request.query))
        return Answer.of(self._itself(secret, request, body))

    def _admitted(self, request: Request) -> re.Match[str]:
        """What the call is about, if its project and its token are good."""
        bearer = (request.headers["Authorization"] or "").removeprefix("Bearer ")
        if bearer not in self.tokens:
            raise Bad(401, "Request had invalid authentication credentials.")
        named = _NAME.fullmatch(request.path)
        if named is None:
            raise Bad(404, "Method not found.")
        if named["project"] != PROJECT:
            raise Bad(403, "Permission denied on resource project.", reason="CONSUMER_INVALID")
        if not self.is_enabled:
            raise Bad(403, "It is disabled in this project.", reason="SERVICE_DISABLED")
        return named

    def _permit(self, permission: str, secret_id: str) -> None:
        full = f"secretmanager.{permission}"
        if full not in self.allowed or (secret_id in self.denied and permission != "secrets.get"):
            resource = f"projects/{PROJECT}/secrets/{secret_id}"
            about = {"reason": "IAM_PERMISSION_DENIED"}
            told = {"permission": full, "resource": resource}
            said = f"Permission '{full}' denied for resource '{resource}' (or it may not exist)."
            raise Bad(403, said, **about, metadata=told)

    def _create(self, parent: str, secret_id: str, given: dict[str, Any]) -> dict[str, Any]:
        name = f"{parent}/secrets/{secret_id}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", secret_id):
            raise Bad(400, "The secret id is invalid.")
        if name in self.secrets:
            raise Bad(409, f"Secret [{name}] already exists.", "ALREADY_EXISTS")
        if ("replication" in given) == ("/locations/" in parent):
            raise Bad(400, "Global secrets have a replication, regional ones none.")
        _check(given)
        self.secrets[name] = Secret(name, given)
        return _shown(self.secrets[name])

    def _itself(self, secret: Secret, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        if request.method == "GET":
            return _shown(secret)
        etag = body.get("etag") if request.method == "PATCH" else request.query.get("etag")
        if etag and etag != secret.etag:
            raise Bad(400, "The etag does not match.", "FAILED_PRECONDITION")
        if request.method == "DELETE":
            del self.secrets[secret.name]
            return {}
        mask = request.query["updateMask"].split(",")
        changed = {**secret.given, **{key: body.get(key) for key in mask}}
        _check(changed)
        secret.given = changed
        secret.changes += 1
        return _shown(secret)

    def _add(self, secret: Secret, body: dict[str, Any]) -> dict[str, Any]:
        data = b64decode(body["payload"]["data"])
        told = body["payload"].get("dataCrc32c")
        if len(data) > 65_536:
            raise Bad(400, "The payload is too large.")
        if told is not None and int(told) != google_crc32c.value(data):
            raise Bad(400, "The checksum does not match the payload.")
        secret.versions.append(Version(data))
        return _numbered(secret, len(secret.versions))

    def _version(self, secret: Secret, which: str, verb: str) -> dict[str, Any]:
        newest = len(secret.versions) - self.behind
        number = newest if which == "latest" else int(self._alias(secret, which))
        if not 0 < number <= len(secret.versions):
            raise Bad(404, f"Secret [{_long(secret)}] not found or has no versions.")
        version = secret.versions[number - 1]
        state = {":enable": "ENABLED", ":disable": "DISABLED", ":destroy": "DESTROYED"}.get(verb)
        if version.state == "DESTROYED" and state:
            raise Bad(400, "It is in DESTROYED state.", "FAILED_PRECONDITION")
        if verb == ":access":
            if version.state != "ENABLED":
                raise Bad(400, f"It is in {version.state} state.", "FAILED_PRECONDITION")
            crc = str(google_crc32c.value(version.data))
            payload = {"data": b64encode(version.data).decode(), "dataCrc32c": crc}
            return {"name": f"{_long(secret)}/versions/{number}", "payload": payload}
        version.state = state or version.state
        return _numbered(secret, number)

    @staticmethod
    def _alias(secret: Secret, which: str) -> str:
        aliases = secret.given.get("versionAliases") or {}
        return str(which if which.isdigit() else aliases.get(which, 0))

    def _list(self, secret: Secret, query: Mapping[str, str]) -> dict[str, Any]:
        filters = {"": {*_STATES}, "state:ENABLED": {"ENABLED"}}
        filters["NOT state:DESTROYED"] = {"ENABLED", "DISABLED"}
        states = filters[query.get("filter", "")]
        numbers = [n for n, it in enumerate(secret.versions, 1) if it.state in states]
        shown = [_numbered(secret, n) for n in reversed(numbers)][: int(query["pageSize"])]
        return {"versions": shown, "totalSize": len(numbers)}

    def _grant(self, request: Request) -> Answer:
        form = request.form()
        head, claims, signature = form["assertion"].split(".")
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        told = json.loads(_unpadded(claims))
        try:
            private_key().public_key().verify(
                _unpadded(signature),
                f"{head}.{claims}".encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except InvalidSignature:
            return _no_grant("Invalid JWT Signature.")
        audiences = {f"{self.url}/token", GoogleService().tokens}
        if (told["iss"], told["scope"]) != (OURS, SCOPE) or told["aud"] not in audiences:
            return _no_grant("Invalid grant: account not found")
        skew = self.clock.now().timestamp() - told["iat"] if self.clock else 0
        if not 0 < told["exp"] - told["iat"] <= 3600 or not -300 <= skew <= 300:
            return _no_grant("Invalid JWT: Token must be a short-lived token.")
        return self._issue()

    def _exchange(self, request: Request) -> Answer:
        """Of a workload's own token, as its identity provider signed it."""
        if request.form()["subject_token"] != "canary-subject":
            return Answer.of({"error": "invalid_grant"}, 400)
        return self._issue(issued_token_type="urn:ietf:params:oauth:token-type:access_token")

    def _metadata(self, request: Request) -> Answer:
        if request.headers["Metadata-Flavor"] != "Google":
            return Answer(403)
        headers = {"Metadata-Flavor": "Google", "Content-Type": "application/json"}
        if request.path.endswith("/token"):
            return Answer(200, self._issue().body, headers)
        about = {"email": OURS, "scopes": [SCOPE], "aliases": ["default"]}
        return Answer(200, json.dumps(about).encode(), headers)

    def _issue(self, **more: str) -> Answer:
        self.issued += 1
        token = f"ya29.canary-{self.issued}"
        self.tokens.add(token)
        lifetime = int(timedelta(minutes=59, seconds=59).total_seconds())
        told = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime}
        return Answer.of({**told, **more})


def _check(given: dict[str, Any]) -> None:
    annotations, labels = given.get("annotations") or {}, given.get("labels") or {}
    named = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
    if not all(re.fullmatch(named, key) for key in annotations):
        raise Bad(400, "An annotation's key is invalid.")
    if sum(len(key) + len(value) for key, value in annotations.items()) > 16_384:
        raise Bad(400, "The annotations are too large.")
    valid = [
        re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", k) and re.fullmatch(r"[a-z0-9_-]{0,63}", v)
        for k, v in labels.items()
    ]
    if not all(valid) or len(labels) > 64:
        raise Bad(400, "The labels are invalid.")


def _long(secret: Secret) -> str:
    return secret.name.replace(f"projects/{PROJECT}", f"projects/{NUMBER}")


def _shown(secret: Secret) -> dict[str, Any]:
    return {**secret.given, "name": _long(secret), "etag": secret.etag}


def _numbered(secret: Secret, number: int) -> dict[str, Any]:
    state = _STATES[secret.versions[number - 1].state]
    return {
        "name": f"{_long(secret)}/versions/{number}",
        "state": state,
        "clientSpecifiedPayloadChecksum": True,
    }


def _no_grant(why: str) -> Answer:
    return Answer.of({"error": "invalid_grant", "error_description": f"canary {why}"}, 400)


def _unpadded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
