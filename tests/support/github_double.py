"""GitHub's REST API as far as Actions secrets and variables go, of an Enterprise Server's form.

It opens what was sealed with the private half of its key, so that a wrong sealing fails.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from tests.support.http_double import Answer, HttpDouble, Request

APP_ID, INSTALLATION = "123456", 42
_APP = rsa.generate_private_key(65537, 2048)
APP_KEY = _APP.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
).decode()
PERSONAL_TOKEN = "github_pat_canary"
_PREFIX = "/api/v3/"
_LEVEL = re.compile(
    r"(repos/[^/]+/[^/]+/actions|repos/[^/]+/[^/]+/environments/.+?|orgs/[^/]+/actions)"
    r"/(secrets|variables)(?:/([^/]+))?"
)
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_LARGEST = 48 * 1024
_NEEDS = {
    "actions": {"secrets": "secrets", "variables": "actions_variables"},
    "environments": {"secrets": "environments", "variables": "environments"},
    "orgs": {"secrets": "organization_secrets", "variables": "organization_actions_variables"},
}


@dataclass
class Thing:
    """A secret or a variable; `values` are those that were written, a repeat counting once."""

    value: str
    updated_at: str
    visibility: Any = None
    repositories: Any = None
    values: list[str] = field(default_factory=list)


class GitHubDouble(HttpDouble):
    """Takes a personal token and an App's installation tokens; the latter need permissions."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.things: dict[tuple[str, str, str], Thing] = {}
        self.missing: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """Empty; a personal token and an App with every permission are known."""
        self.things.clear()
        self.missing.clear()
        self.keys: dict[str, PrivateKey] = {}
        self.may = {it: "write" for level in _NEEDS.values() for it in level.values()}
        self._now = datetime(2026, 11, 1, tzinfo=UTC)
        self._installed: set[str] = set()
        self._given = 0
        self.clear()

    @property
    def base_url(self) -> str:
        return f"{self.url}{_PREFIX.rstrip('/')}"

    def expire_tokens(self) -> None:
        """Every installation token that was given out ends now."""
        self._installed.clear()

    def thing(self, level: str, kind: str, name: str) -> Thing | None:
        return self.things.get((level, kind, name))

    def write(self, level: str, kind: str, name: str, value: str, **more: Any) -> Thing:
        """Writes there, as the web pages do; each write is a second after the one before."""
        self._now += timedelta(seconds=1)
        values = self.things[level, kind, name].values if (level, kind, name) in self.things else []
        if values[-1:] != [value]:  # GitHub keeps no versions: the same bytes again are the same
            values.append(value)
        at = self._now.strftime("%Y-%m-%dT%H:%M:%SZ")
        made = Thing(value, at, more.get("visibility"), more.get("repositories"), values)
        self.things[level, kind, name] = made
        return made

    def refusal(self, status: int) -> Answer:
        said = {401: "Bad credentials", 403: "Resource not accessible", 404: "Not Found"}
        return Answer.of({"message": said.get(status, f"{status}"), "status": f"{status}"}, status)

    def answer(self, request: Request) -> Answer:
        made = self._answer(request)
        return replace(made, headers={**made.headers, "x-ratelimit-remaining": "4999"})

    def _answer(self, request: Request) -> Answer:
        if not request.path.startswith(_PREFIX):
            return Answer.of("<html>Not Found</html>", 404, "text/html")
        path = request.path.removeprefix(_PREFIX)
        bearer = (request.headers["Authorization"] or "").removeprefix("Bearer ")
        if path.startswith("app/installations/"):
            return self._log_in(path, bearer)
        if bearer != PERSONAL_TOKEN and bearer not in self._installed:
            return self.refusal(401)
        if path == "user":
            is_person = bearer == PERSONAL_TOKEN
            return Answer.of({"login": "octocat"}) if is_person else self.refusal(403)
        return self._reach(request, path, is_app=bearer != PERSONAL_TOKEN)

    def _reach(self, request: Request, path: str, *, is_app: bool) -> Answer:
        found = _LEVEL.fullmatch(path)
        if found is None or found[1] in self.missing:
            return self.refusal(404)
        if is_app and not self._is_permitted(found[1], found[2], request.method):
            return self.refusal(403)
        answer = self._secret if found[2] == "secrets" else self._variable
        return answer(request, found[1], (found[3] or "").upper())

    def _log_in(self, path: str, bearer: str) -> Answer:
        try:
            said = jwt.decode(bearer, _APP.public_key(), ["RS256"], options={"verify_exp": False})
        except jwt.InvalidTokenError:
            return self.refusal(401)
        if said["iss"] != APP_ID or said["exp"] - said["iat"] > 600:
            return self.refusal(401)
        if path != f"app/installations/{INSTALLATION}/access_tokens":
            return self.refusal(404)
        self._given += 1
        token = f"ghs_canary{self._given}"
        self._installed.add(token)
        until = datetime.fromtimestamp(said["iat"], UTC) + timedelta(minutes=61)
        told = {"token": token, "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return Answer.of({**told, "permissions": {"metadata": "read", **self.may}}, 201)

    def _is_permitted(self, level: str, kind: str, method: str) -> bool:
        of = "environments" if "/environments/" in level else level.split("/", 1)[0]
        has = self.may.get(_NEEDS.get(of, _NEEDS["actions"])[kind])
        return has == "write" or (method == "GET" and has == "read")

    def _secret(self, request: Request, level: str, name: str) -> Answer:
        if request.method == "GET" and name == "PUBLIC-KEY":
            key = self.keys.setdefault(level, PrivateKey.generate())
            public = b64encode(bytes(key.public_key)).decode()
            return Answer.of({"key_id": _id(key), "key": public})
        if request.method == "PUT":
            return self._seal(request.json(), level, name)
        return self._known(request, level, "secrets", name)

    def _seal(self, body: Mapping[str, Any], level: str, name: str) -> Answer:
        key = self.keys.get(level)
        if key is None or body["key_id"] != _id(key) or not _is_name(name):
            return self.refusal(422)
        if level.startswith("orgs/") and "visibility" not in body:
            return self.refusal(422)
        try:
            value = SealedBox(key).decrypt(b64decode(body["encrypted_value"], validate=True))
        except (CryptoError, ValueError):
            return self.refusal(422)
        if len(value) > _LARGEST:
            return self.refusal(422)
        status = 204 if (level, "secrets", name) in self.things else 201
        self.write(level, "secrets", name, value.decode(), **_exposure(body))
        return Answer.of({}, status)

    def _variable(self, request: Request, level: str, name: str) -> Answer:
        if request.method not in {"POST", "PATCH"}:
            return self._known(request, level, "variables", name)
        body = request.json()
        named = body["name"].upper()
        if not _is_name(named) or (level.startswith("orgs/") and "visibility" not in body):
            return self.refusal(422)
        is_known = (level, "variables", named) in self.things
        if request.method == "POST" and is_known:
            return self.refusal(409)
        if request.method == "PATCH" and not (is_known and named == name):
            return self.refusal(404)
        self.write(level, "variables", named, body["value"], **_exposure(body))
        return Answer.of({}, 201) if request.method == "POST" else Answer(204)

    def _known(self, request: Request, level: str, kind: str, name: str) -> Answer:
        thing = self.thing(level, kind, name)
        if thing is None:
            return self.refusal(404)
        if request.method == "DELETE":
            del self.things[level, kind, name]
            return Answer(204)
        told = {"name": name, "created_at": thing.updated_at, "updated_at": thing.updated_at}
        return Answer.of({**told, "value": thing.value} if kind == "variables" else told)


def _id(key: PrivateKey) -> str:
    return str(int.from_bytes(bytes(key.public_key)[:8], "big"))


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not name.startswith("GITHUB_")


def _exposure(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "visibility": body.get("visibility"),
        "repositories": body.get("selected_repository_ids"),
    }
