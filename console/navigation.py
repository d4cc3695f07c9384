"""The way around the console: which sections there are, and who sees which."""

from dataclasses import dataclass
from itertools import groupby

from console.visitors import Visit


@dataclass(frozen=True)
class Section:
    """One entry. `demands` is the action that somebody has to be allowed everywhere to see it.

    Of `any_of` it is enough to be allowed one, and somewhere.
    """

    title: str
    path: str
    icon: str
    group: str = ""
    demands: str = ""
    any_of: tuple[str, ...] = ()

    def is_here(self, path: str) -> bool:
        """Whether a page of this path belongs to it."""
        return path == self.path if self.path == "/" else f"{path}/".startswith(f"{self.path}/")


SECTIONS = (
    Section("Overview", "/", "overview"),
    Section("Virtual accounts", "/virtual-accounts", "account", "Access"),
    Section("Personal access tokens", "/personal-access-tokens", "key", "Access"),
    Section("Users", "/users", "people", "Access", "user:read"),
    Section("Teams", "/teams", "team", "Access"),
    Section("Roles", "/roles", "role", "Access", "role:read"),
    Section("Role bindings", "/role-bindings", "binding", "Access", "role-binding:read"),
    Section(
        "Integrations",
        "/integrations",
        "integration",
        "Delivery",
        any_of=("provider-integration:read", "provider-integration:use"),
    ),
    Section(
        "Secret groups",
        "/secret-groups",
        "store",
        "Delivery",
        any_of=("secret-group:read",),
    ),
    Section("Activity", "/activity", "activity", "Delivery"),
    Section("Security", "/settings/security", "settings", "Settings", "settings:read"),
    Section(
        "Identity providers",
        "/settings/identity-providers",
        "identity",
        "Settings",
        "settings:read",
    ),
)


def _may_see(visit: Visit, one: Section) -> bool:
    if one.demands and not visit.may_everywhere(one.demands):
        return False
    return not one.any_of or any(visit.may_somewhere(action) for action in one.any_of)


def entries(visit: Visit) -> list[tuple[str, list[Section]]]:
    """Those that the visitor may look at, by group; none for somebody who is not signed in."""
    if visit.actor is None:
        return []
    seen = [one for one in SECTIONS if _may_see(visit, one)]
    return [(group, list(members)) for group, members in groupby(seen, lambda one: one.group)]
