"""Where a CI/CD variable of GitLab stands, as people write it and as the API does."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from core.errors import PlaceRefused
from sinks.paths import tidied

_PART = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,254}")
_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")
_FORMS = (
    "write projects/<group>/<project>/<NAME> or groups/<group>/<NAME>, "
    "with subgroups as they are or a number instead of the path"
)


@dataclass(frozen=True)
class GitLabPlace:
    """One variable, but for its environment scope. `text` is the one way to write it."""

    text: str
    variables: str
    name: str

    @property
    def variable(self) -> str:
        return f"{self.variables}/{self.name}"


def gitlab_place(path: str) -> GitLabPlace:
    """Reads a path; PlaceRefused says what is allowed.

    GitLab tells no case apart in projects and groups, which are lower case here; in names it does.
    """
    try:
        where, _, name = tidied(path).rpartition("/")
    except ValueError as error:
        raise PlaceRefused(str(error)) from None
    if not _NAME.fullmatch(name):
        raise PlaceRefused("a variable's name has 255 letters, digits and underscores at most")
    kind, _, owner = where.lower().partition("/")
    parts = owner.split("/")
    is_one = kind == "groups" or (kind == "projects" and (len(parts) > 1 or owner.isdigit()))
    if not (is_one and all(map(_PART.fullmatch, parts))):
        raise PlaceRefused(_FORMS)
    return GitLabPlace(f"{kind}/{owner}/{name}", f"{kind}/{quote(owner, safe='')}/variables", name)
