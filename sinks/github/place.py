"""Where a secret of GitHub Actions stands, as people write it and as the API does."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from core.errors import PlaceRefused
from sinks.paths import tidied

_OWNER = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_REPOSITORY = re.compile(r"[a-z0-9._-]{1,100}")
_LONGEST_ENVIRONMENT = 255
_COMPANION = "KEYTURN_"
_LONGEST_NAME = 255 - len(_COMPANION)
_NAME = re.compile(rf"[A-Z_][A-Z0-9_]{{0,{_LONGEST_NAME - 1}}}")

_FORMS = (
    "write repos/<owner>/<repository>/<NAME>, "
    "environments/<owner>/<repository>/<environment>/<NAME> or organizations/<owner>/<NAME>"
)
_NAMED = (
    f"a secret's name has at most {_LONGEST_NAME} letters, digits and underscores, "
    "begins with no digit and not with GITHUB_"
)


@dataclass(frozen=True)
class GitHubPlace:
    """One secret and the variable beside it. `text` is the one way to write it."""

    text: str
    level: str
    name: str
    is_organization: bool = False

    @property
    def secret(self) -> str:
        return f"{self.level}/secrets/{self.name}"

    @property
    def public_key(self) -> str:
        return f"{self.level}/secrets/public-key"

    @property
    def companion(self) -> str:
        """The name of the variable that says whose the secret is."""
        return f"{_COMPANION}{self.name}"

    @property
    def variables(self) -> str:
        return f"{self.level}/variables"

    @property
    def variable(self) -> str:
        return f"{self.variables}/{self.companion}"


def github_place(path: str) -> GitHubPlace:
    """Reads a path; PlaceRefused says what is allowed.

    GitHub tells no case apart: names are upper case here, what they stand in is lower case.
    """
    try:
        where, _, name = tidied(path).rpartition("/")
    except ValueError as error:
        raise PlaceRefused(str(error)) from None
    if not (name.isascii() and _NAME.fullmatch(name.upper())) or name.upper().startswith("GITHUB_"):
        raise PlaceRefused(_NAMED)
    name, where = name.upper(), where.lower()
    kind, *parts = where.split("/")
    level = _level(kind, parts)
    return GitHubPlace(f"{where}/{name}", level, name, is_organization=kind == "organizations")


def _level(kind: str, parts: list[str]) -> str:
    """What the API calls the thing that has the secret."""
    match kind, parts:
        case "repos", [owner, repository] if _are_named(owner, repository):
            return f"repos/{owner}/{repository}/actions"
        case "environments", [owner, repository, *names] if names and _are_named(owner, repository):
            environment = "/".join(names)
            if len(environment) <= _LONGEST_ENVIRONMENT:
                return f"repos/{owner}/{repository}/environments/{quote(environment, safe='')}"
        case "organizations", [owner] if _OWNER.fullmatch(owner):
            return f"orgs/{owner}/actions"
    raise PlaceRefused(_FORMS)


def _are_named(owner: str, repository: str) -> bool:
    return bool(_OWNER.fullmatch(owner) and _REPOSITORY.fullmatch(repository))
