"""GitLab's REST API as far as CI/CD variables of projects and groups go."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.http_double import Answer, HttpDouble, Request

TOKEN = "glpat-canary"
_PATH = re.compile(r"/api/v4/((?:projects|groups)/.+)/variables(?:/([^/]+))?")
_KEY = re.compile(r"[A-Za-z0-9_]{1,255}")
_SETTINGS = {
    "value": "",
    "variable_type": "env_var",
    "protected": False,
    "masked": False,
    "hidden": False,
    "raw": False,
    "environment_scope": "*",
    "description": None,
}


@dataclass
class Variable:
    """What it is now, and every value so far."""

    told: dict[str, Any]
    values: list[str] = field(default_factory=list)


class GitLabDouble(HttpDouble):
    """Answers whoever has the token; projects and groups are there but for the missing ones."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.variables: dict[tuple[str, str, str], Variable] = {}
        self.missing: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """Empty, as a GitLab of today with all that it has."""
        self.variables.clear()
        self.missing.clear()
        self.scopes = ["api"]
        self.keeps_descriptions = self.scopes_groups = True
        self.clear()

    def variable(self, owner: str, key: str, scope: str = "*") -> Variable | None:
        return self.variables.get((owner, key, scope))

    def write(self, owner: str, key: str, value: str, scope: str = "*") -> None:
        """Somebody writes there by the web pages: the description stays."""
        fresh = Variable({**_SETTINGS, "key": key, "environment_scope": scope})
        found = self.variables.setdefault((owner, key, scope), fresh)
        found.told["value"] = value
        found.values.append(value)

    def refusal(self, status: int) -> Answer:
        if status == 429:
            return Answer.of("Retry later", 429)
        said = {401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found"}
        return Answer.of({"message": said.get(status, f"{status}")}, status)

    def answer(self, request: Request) -> Answer:
        if request.headers["PRIVATE-TOKEN"] != TOKEN:
            return self.refusal(401)
        if request.path == "/api/v4/personal_access_tokens/self":
            about = {"name": "keyturn", "active": True, "expires_at": "2027-10-31"}
            return Answer.of({**about, "scopes": self.scopes})
        found = _PATH.fullmatch(request.path)
        if found is None or found[1] in self.missing:
            return _message("404 Project Not Found", 404)
        if "api" not in self.scopes:
            return Answer.of({"error": "insufficient_scope", "scope": "api"}, 403)
        if request.method == "POST":
            return self._create(found[1], request.json())
        return self._known(request, found[1], found[2])

    def _create(self, owner: str, body: Mapping[str, Any]) -> Answer:
        scope = body.get("environment_scope", "*")
        if owner.startswith("groups/") and not self.scopes_groups:
            scope = "*"
        if not _KEY.fullmatch(body["key"]):
            return _message({"key": ["can contain only letters, digits and '_'."]})
        if (owner, body["key"], scope) in self.variables:
            return _message({"key": [f"({body['key']}) has already been taken"]})
        made = Variable({**_SETTINGS, "key": body["key"]})
        return self._apply(made, owner, {**body, "environment_scope": scope}, 201)

    def _known(self, request: Request, owner: str, key: str) -> Answer:
        scope = request.query.get("filter[environment_scope]")
        named = [it for it in self.variables if it[:2] == (owner, key)]
        if owner.startswith("projects/") or self.scopes_groups:
            named = [it for it in named if scope in {None, it[2]}]
        if not named:
            return _message("404 Variable Not Found", 404)
        if len(named) > 1:
            said = "There are multiple variables with provided parameters."
            return _message(f"{said} Please use 'filter[environment_scope]'", 409)
        if request.method == "DELETE":
            del self.variables[named[0]]
            return Answer(204)
        found = self.variables[named[0]]
        if request.method == "PUT":
            return self._apply(found, owner, request.json(), 200)
        return Answer.of(found.told)

    def _apply(
        self, variable: Variable, owner: str, body: Mapping[str, Any], status: int
    ) -> Answer:
        told = {**variable.told, **body}
        if not self.keeps_descriptions:
            told.pop("description", None)
        if wrong := _wrong(told):
            return _message(wrong)
        variable.told = told
        variable.values.append(told["value"])
        self.variables[owner, told["key"], told["environment_scope"]] = variable
        return Answer.of(told, status)


def _wrong(told: Mapping[str, Any]) -> dict[str, list[str]]:
    value, description = told["value"], told.get("description") or ""
    maskable = r"\S{8,}" if told["raw"] else r"[a-zA-Z0-9_+=/@:.~-]{8,}"
    if len(value) > 10_000:
        return {"value": ["is too long (maximum is 10000 characters)"]}
    if told["masked"] and not re.fullmatch(maskable, value):
        return {"value": ["is invalid"]}
    if len(description) > 255:
        return {"description": ["is too long (maximum is 255 characters)"]}
    return {}


def _message(said: Any, status: int = 400) -> Answer:
    return Answer.of({"message": said}, status)
