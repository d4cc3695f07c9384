"""Azure: one Key Vault, and the hosts where identities get tokens, all behind their real names."""

import re
import ssl
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from secrets import token_hex
from typing import Any

import trustme
from azure.keyvault.secrets._shared import http_challenge_cache

from core.dial import LOOPBACK, AddressRules
from services.outbound import GuardedDialer
from tests.support.http_double import Answer, HttpDouble, Request

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-000000000000"
CLIENT_SECRET = "canary-client-secret"
ASSERTION = "canary-service-account-jwt"
VAULT = "kv-main.vault.azure.net"
LOGIN = "login.microsoftonline.com"
NAMES = ("*.vault.azure.net", "*.vault.azure.cn", "*.vault.usgovcloudapi.net")
LOGINS = (LOGIN, "login.chinacloudapi.cn", "login.microsoftonline.us")
ACTIONS = "Microsoft.KeyVault/vaults/secrets/"
NOT_FOUND = "A secret with (name/id) {} was not found in this key vault."
RECOVERABLE = "Secret {} is currently in a deleted but recoverable state."
REASONS = {400: "BadParameter", 401: "Unauthorized", 403: "Forbidden", 404: "SecretNotFound"} | {
    409: "Conflict",
    429: "Throttled",
}


class RefusedError(Exception):
    """A refusal: Key Vault's status, its code and the inner one."""

    def __init__(self, status: int, code: str, message: str, inner: str = "") -> None:
        said: dict[str, Any] = {"code": code, "message": message}
        self.answer = Answer.of(
            {"error": said | ({"innererror": {"code": inner}} if inner else {})}, status
        )


@dataclass
class Version:
    """One value with what was set beside it; nothing of it but tags and attributes changes."""

    value: str
    tags: dict[str, str]
    content_type: str | None
    attributes: dict[str, Any]
    id: str = field(default_factory=lambda: token_hex(16))


class AzureDouble(HttpDouble):
    """A vault with soft delete, its roles' data actions, and the login hosts of three clouds.

    `allowed` are the data actions of the caller's role; `denied` names one secret that a
    narrower role leaves out. A deletion and a recovery are done at once unless `is_slow`.
    """

    def __init__(self) -> None:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*NAMES, *LOGINS).configure_cert(context)
        super().__init__(tls=context)
        self.ca_bundle = authority.cert_pem.bytes().decode()
        self.secrets: dict[str, list[Version]] = {}
        self.deleted: dict[str, list[Version]] = {}
        self.moving: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """Empty, in order, and with a role that may do everything."""
        self.secrets.clear()
        self.deleted.clear()
        self.moving.clear()
        self.tokens: set[str] = set()
        self.denied: set[str] = set()
        self.allowed = {"*"}
        self.is_slow = self.is_purge_protected = False
        self.lasts = 3599
        self._seconds = count(1_700_000_000)
        http_challenge_cache.clear()  # the client's, for the whole process
        self.clear()

    def dialer(self) -> GuardedDialer:
        """Connects the names of Azure to this double, and nothing else to anything."""
        return _Switchboard(self)

    def expire_tokens(self) -> None:
        """No token that was given so far is good any more."""
        self.tokens.clear()

    def write(self, name: str, value: str, tags: dict[str, str] | None = None) -> Version:
        """Somebody sets a value, not through the API."""
        now = next(self._seconds)
        made = Version(value, tags or {}, None, {"enabled": True, "created": now, "updated": now})
        self.secrets.setdefault(name, []).append(made)
        return made

    def refusal(self, status: int) -> Answer:
        code = REASONS.get(status, "InternalServerError")
        return RefusedError(status, code, "Refused by order.").answer

    def answer(self, request: Request) -> Answer:
        host = request.headers["Host"]
        if host in LOGINS:
            return self._log_in(host, request)
        try:
            self._authenticate(host, request)
            return self._stored(request)
        except RefusedError as refused:
            return refused.answer

    def _log_in(self, host: str, request: Request) -> Answer:
        tenant = request.path.split("/")[1]
        if tenant != TENANT:
            return _no_token(400, "invalid_tenant", f"AADSTS90002: Tenant '{tenant}' not found.")
        where = f"https://{host}/{tenant}"
        if request.path.endswith("/.well-known/openid-configuration"):
            found = {"issuer": f"{where}/v2.0", "token_endpoint": f"{where}/oauth2/v2.0/token"}
            return Answer.of({**found, "authorization_endpoint": f"{where}/oauth2/v2.0/authorize"})
        asked = request.form()
        if asked["client_id"] != CLIENT:
            return _no_token(400, "unauthorized_client", "AADSTS700016: Application not found.")
        shown = asked.get("client_secret"), asked.get("client_assertion")
        if CLIENT_SECRET not in shown and ASSERTION not in shown:
            return _no_token(401, "invalid_client", "AADSTS7000215: Invalid client secret.")
        given = {"token_type": "Bearer", "expires_in": self.lasts, "ext_expires_in": self.lasts}
        return Answer.of({**given, "access_token": self.give_token()})

    def give_token(self) -> str:
        made = f"canary-access-{token_hex(8)}"
        self.tokens.add(made)
        return made

    def _authenticate(self, host: str, request: Request) -> None:
        if (request.headers["Authorization"] or "").removeprefix("Bearer ") in self.tokens:
            return
        cloud = LOGINS[[fnmatchcase(host, name) for name in NAMES].index(True)]
        resource = f"https://{host.partition('.')[2]}"
        refused = RefusedError(401, "Unauthorized", "AKV10000: Request is missing a Bearer token.")
        challenge = f'Bearer authorization="https://{cloud}/{TENANT}", resource="{resource}"'
        refused.answer = Answer(
            401, refused.answer.body, {**refused.answer.headers, "WWW-Authenticate": challenge}
        )
        raise refused

    def _stored(self, request: Request) -> Answer:
        kind, name, *rest = request.path.strip("/").split("/")
        action, do = {
            ("GET", "secrets"): ("getSecret/action", self._get),
            ("PUT", "secrets"): ("setSecret/action", self._set),
            ("DELETE", "secrets"): ("delete", self._delete),
            ("GET", "deletedsecrets"): ("readMetadata/action", self._get_deleted),
            ("POST", "deletedsecrets"): ("recover/action", self._recover),
            ("DELETE", "deletedsecrets"): ("purge/action", self._purge),
        }[request.method, kind]
        if rest == ["versions"]:
            action, do = "readMetadata/action", self._list
        allowed = any(fnmatchcase(ACTIONS + action, given) for given in self.allowed)
        if not allowed or name in self.denied:
            said = f"Caller is not authorized to perform action on resource: {action}"
            raise RefusedError(403, "Forbidden", said, "ForbiddenByRbac")
        return do(name, request)

    def _get(self, name: str, request: Request) -> Answer:
        wanted = request.path.strip("/").split("/")[2:]
        versions = [it for it in self.secrets.get(name, []) if wanted in ([], [it.id])]
        if not versions or name in self.moving:
            self.moving.discard(name)
            raise RefusedError(404, "SecretNotFound", NOT_FOUND.format(name))
        if not versions[-1].attributes["enabled"]:
            said = "Operation get is not allowed on a disabled secret."
            raise RefusedError(403, "Forbidden", said, "SecretDisabled")
        return Answer.of(self._bundle(name, versions[-1]) | {"value": versions[-1].value})

    def _list(self, name: str, request: Request) -> Answer:
        if name not in self.secrets:
            raise RefusedError(404, "SecretNotFound", NOT_FOUND.format(name))
        most = min(int(request.query.get("maxresults", 25)), 25)
        listed = sorted(self.secrets[name], key=lambda it: it.id)  # in no order of time
        more = f"https://{VAULT}/secrets/{name}/versions?$skiptoken=x" if listed[most:] else None
        items = [self._bundle(name, it) for it in listed[:most]]
        return Answer.of({"value": items, "nextLink": more})

    def _set(self, name: str, request: Request) -> Answer:
        body = request.json()
        tags = body.get("tags") or {}
        long = [it for pair in tags.items() for it in pair if len(it) > 256]
        if not re.fullmatch(r"[0-9a-zA-Z-]{1,127}", name) or len(tags) > 15 or long:
            raise RefusedError(400, "BadParameter", "The name or the tags are not allowed.")
        if len(body["value"].encode()) > 25_600:
            raise RefusedError(400, "BadParameter", "The value is too long.")
        if name in self.moving:
            self.moving.discard(name)
            raise RefusedError(409, "Conflict", "It is being moved.", "ObjectIsBeingRecovered")
        if name in self.deleted:
            said = RECOVERABLE.format(name)
            raise RefusedError(409, "Conflict", said, "ObjectIsDeletedButRecoverable")
        made = self.write(name, body["value"], tags)
        made.content_type = body.get("contentType")
        made.attributes |= {k: v for k, v in (body.get("attributes") or {}).items() if v}
        return Answer.of(self._bundle(name, made) | {"value": made.value})

    def _delete(self, name: str, _: Request) -> Answer:
        if name not in self.secrets:
            raise RefusedError(404, "SecretNotFound", NOT_FOUND.format(name))
        self.deleted[name] = self.secrets.pop(name)
        self.moving |= {name} if self.is_slow else set()
        return Answer.of(self._gone(name))

    def _get_deleted(self, name: str, _: Request) -> Answer:
        self._demand_deleted(name)
        return Answer.of(self._gone(name))

    def _recover(self, name: str, _: Request) -> Answer:
        self._demand_deleted(name)
        self.secrets[name] = self.deleted.pop(name)
        self.moving |= {name} if self.is_slow else set()
        return Answer.of(self._bundle(name, self.secrets[name][-1]))

    def _purge(self, name: str, _: Request) -> Answer:
        if self.is_purge_protected:
            raise RefusedError(403, "Forbidden", "Purge protection is enabled for this vault.")
        if name in self.moving:
            self.moving.discard(name)
            raise RefusedError(409, "Conflict", "It is being moved.", "ObjectIsBeingDeleted")
        self._demand_deleted(name)
        del self.deleted[name]
        return Answer(204)

    def _demand_deleted(self, name: str) -> None:
        if name not in self.deleted:
            raise RefusedError(404, "SecretNotFound", f"Deleted {NOT_FOUND.format(name)}")

    def _gone(self, name: str) -> dict[str, Any]:
        at = {"deletedDate": 1_700_000_000, "scheduledPurgeDate": 1_707_776_000}
        recovery = {"recoveryId": f"https://{VAULT}/deletedsecrets/{name}"}
        return {**self._bundle(name, self.deleted[name][-1]), **at, **recovery}

    @staticmethod
    def _bundle(name: str, version: Version) -> dict[str, Any]:
        level = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}
        return {
            "id": f"https://{VAULT}/secrets/{name}/{version.id}",
            "contentType": version.content_type,
            "attributes": version.attributes | level,
            "tags": version.tags,
        }


class _Switchboard(GuardedDialer):
    def __init__(self, double: AzureDouble) -> None:
        super().__init__(AddressRules(allowed=LOOPBACK))
        self._double = double

    def connect(self, host: str, port: int, timeout: float | None) -> Any:
        if port != 443 or not any(fnmatchcase(host, name) for name in (*NAMES, *LOGINS)):
            raise OSError("nobody has this name")
        return super().connect("127.0.0.1", self._double.port, timeout)


def _no_token(status: int, error: str, description: str) -> Answer:
    return Answer.of({"error": error, "error_description": description}, status)
