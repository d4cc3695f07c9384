"""A cluster's API server, as far as secrets go: roles, check-and-set, merge patches, limits."""

import json
import ssl
from base64 import b64decode, b64encode
from copy import deepcopy
from typing import Any
from uuid import uuid4

import trustme

from tests.support.http_double import Answer, HttpDouble, Request

LARGEST = 1_048_576
ANNOTATIONS = 262_144
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
EVERYTHING = [{"apiGroups": [""], "resources": ["secrets"], "verbs": [*VERBS.values()]}]
WHO = "system:serviceaccount:keyturn:keyturn"
MODIFIED = (
    'Operation cannot be fulfilled on secrets "{}": the object has been modified; '
    "please apply your changes to the latest version and try again"
)
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class RefusedError(Exception):
    """A refusal, as the API's Status object."""

    def __init__(self, status: int, message: str, reason: str = "", cause: str = "") -> None:
        super().__init__(message)
        causes = {"causes": [{"reason": cause, "message": message}]} if cause else {}
        self.answer = Answer.of(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": message,
                "reason": reason or REASONS.get(status, ""),
                "details": {"kind": "secrets", **causes},
                "code": status,
            },
            status,
        )


class KubernetesDouble(HttpDouble):
    """Answers over TLS to whoever bears one of `tokens`, or a client certificate.

    `rules` are a Role's, bound in every one of `namespaces`; `denied` are single secrets by
    (namespace, name). `written` is every state of a secret's values, oldest first.
    """

    def __init__(self, *, client_authority: trustme.CA | None = None) -> None:
        self.authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        if client_authority is not None:
            client_authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        super().__init__(tls=context)
        self.knows_certificates = client_authority is not None
        self.rules: list[dict[str, Any]] = EVERYTHING
        self.tokens: set[str] = set()
        self.reset()

    @property
    def ca_pem(self) -> str:
        return self.authority.cert_pem.bytes().decode()

    def reset(self) -> None:
        """No secret is there, nothing is denied or misbehaves."""
        self.namespaces = {"default", "app", "closed", "never", "team-a"}
        self.denied: set[tuple[str, str]] = set()
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        self.written: dict[tuple[str, str], list[dict[str, str]]] = {}
        self._versions = 100
        self.clear()

    def values(self, namespace: str, name: str) -> dict[str, str] | None:
        """What a pod reads."""
        secret = self.secrets.get((namespace, name))
        return None if secret is None else _plain(secret)

    def write(self, namespace: str, name: str, **how: Any) -> None:
        """Somebody sets values, or `immutable` and the like, not through this API."""
        values = how.pop("values", {})
        held = self.secrets.get((namespace, name)) or _new(name, {"type": "Opaque"})
        data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
        self._keep((namespace, name), {**held, **how, "data": {**held["data"], **data}})

    def refusal(self, status: int) -> Answer:
        return RefusedError(status, REASONS.get(status, "")).answer

    def answer(self, request: Request) -> Answer:
        try:
            self._demand_login(request)
            if request.path == "/version":
                return Answer.of({"major": "1", "minor": "33", "gitVersion": "v1.33.1"})
            parts = request.path.strip("/").split("/")
            if parts[:3] != ["api", "v1", "namespaces"] or parts[4:5] != ["secrets"]:
                return Answer.of("404 page not found\n", 404)
            return self._serve(request, parts[3], parts[5] if len(parts) == 6 else "")
        except RefusedError as refused:
            return refused.answer

    def _demand_login(self, request: Request) -> None:
        given = (request.headers["Authorization"] or "").removeprefix("Bearer ")
        if given not in self.tokens and (given or not self.knows_certificates):
            raise RefusedError(401, "Unauthorized")

    def _serve(self, request: Request, namespace: str, name: str) -> Answer:
        verb = VERBS[request.method]
        body = request.json() or {}
        at = (namespace, name or body["metadata"]["name"])
        granted = {verb for rule in self.rules for verb in rule["verbs"]}
        if verb not in granted or at in self.denied:
            forbidden = f'secrets "{name}" is forbidden: User "{WHO}" cannot {verb} resource'
            raise RefusedError(403, f'{forbidden} "secrets" in the namespace "{namespace}"')
        return getattr(self, f"_{verb}")(at, body, request)

    def _get(self, at: tuple[str, str], _: Any, __: Request) -> Answer:
        return Answer.of(self._found(at))

    def _create(self, at: tuple[str, str], body: Any, request: Request) -> Answer:
        if at[0] not in self.namespaces:
            raise RefusedError(404, f'namespaces "{at[0]}" not found')
        if at in self.secrets:
            raise RefusedError(409, f'secrets "{at[1]}" already exists', "AlreadyExists")
        made = _new(at[1], body)
        _demand_valid(made, at[1])
        if request.query.get("dryRun") != "All":
            self._keep(at, made)
        return Answer.of(made, 201)

    def _patch(self, at: tuple[str, str], body: Any, request: Request) -> Answer:
        if request.headers["Content-Type"] != "application/merge-patch+json":
            raise RefusedError(415, "the body of the request was in an unknown format")
        return self._change(at, _merged(self._found(at), body))

    def _update(self, at: tuple[str, str], body: Any, _: Request) -> Answer:
        return self._change(at, body)

    def _delete(self, at: tuple[str, str], body: Any, _: Request) -> Answer:
        metadata = self._found(at)["metadata"]
        for name, wanted in (body.get("preconditions") or {}).items():
            if metadata[name] != wanted:
                raise RefusedError(409, MODIFIED.format(at[1]))
        del self.secrets[at]
        return Answer.of({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _change(self, at: tuple[str, str], wanted: dict[str, Any]) -> Answer:
        held = self._found(at)
        version = wanted["metadata"].get("resourceVersion")
        if version not in {None, held["metadata"]["resourceVersion"]}:
            raise RefusedError(409, MODIFIED.format(at[1]))
        if held.get("immutable") and wanted["data"] != held["data"]:
            forbidden = "data: Forbidden: field is immutable when `immutable` is set"
            raise RefusedError(422, f'Secret "{at[1]}" is invalid: {forbidden}')
        _demand_valid(wanted, at[1])
        if wanted != held:
            self._keep(at, wanted)
        return Answer.of(self._found(at))

    def _found(self, at: tuple[str, str]) -> dict[str, Any]:
        if at not in self.secrets:
            raise RefusedError(404, f'secrets "{at[1]}" not found')
        return self.secrets[at]

    def _keep(self, at: tuple[str, str], secret: dict[str, Any]) -> None:
        self._versions += 1
        kept = deepcopy(secret)
        kept["metadata"]["resourceVersion"] = str(self._versions)
        self.secrets[at] = kept
        self.written.setdefault(at, []).append(_plain(kept))


def _new(name: str, body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("metadata") or {}
    metadata = {"name": name, "uid": str(uuid4()), "annotations": given.get("annotations") or {}}
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {**metadata, "labels": given.get("labels") or {}},
        "data": body.get("data") or {},
        "type": body.get("type", "Opaque"),
    }


def _merged(held: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(held) if isinstance(held, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _demand_valid(secret: dict[str, Any], name: str) -> None:
    size = sum(len(b64decode(value, validate=True)) for value in secret["data"].values())
    if size > LARGEST:
        too_long = f'Secret "{name}" is invalid: data: Too long: may not be more than {LARGEST}'
        raise RefusedError(422, f"{too_long} bytes", cause="FieldValueTooLong")
    annotations = secret["metadata"].get("annotations") or {}
    if len(json.dumps(annotations)) > ANNOTATIONS:
        raise RefusedError(422, f'Secret "{name}" is invalid: metadata.annotations: Too long')
    for annotation in annotations:
        if len(annotation.rpartition("/")[2]) > 63 or not annotation[-1].isalnum():
            raise RefusedError(422, f'Secret "{name}" is invalid: metadata.annotations')


def _plain(secret: dict[str, Any]) -> dict[str, str]:
    return {key: b64decode(value).decode() for key, value in secret["data"].items()}
