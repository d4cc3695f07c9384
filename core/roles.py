"""Roles: named sets of actions on a type of resource. The built-in ones are code, not rows.

An action is `<resource type>:<verb>`. A grant gives a subject one role on one resource; what a
grant on the tenant allows, it allows on everything in the tenant.
"""

from dataclasses import dataclass, field
from typing import Self

TENANT_ADMIN = "tenant-admin"
TENANT_MEMBER = "tenant-member"
TEAM_MANAGER = "team-manager"
TEAM_MEMBER = "team-member"

VERBS = ("create", "delete", "manage", "read", "read-token", "update", "use")

_SUFFIXES = {"viewer": ("read",), "member": ("read", "use"), "admin": VERBS}

# The reference's list, as its SDK knows it; `tenant` and `account` both are the tenant itself.
RESOURCE_TYPES = frozenset(
    {
        "account",
        "agent",
        "agent-app",
        "agent-channel",
        "agent-identity",
        "alert-config",
        "alert-rule",
        "application",
        "cluster",
        "deployment",
        "docker-registry",
        "environment",
        "external-identity-provider",
        "gateway-approval-request",
        "gateway-budget",
        "gateway-config",
        "gateway-controls",
        "gateway-installation",
        "gateway-policy",
        "llm-gateway",
        "mcp-server",
        "mlf-project",
        "policy",
        "provider-account",
        "provider-integration",
        "repository",
        "role",
        "role-binding",
        "secret",
        "secret-group",
        "service-account",
        "settings",
        "team",
        "tenant",
        "tracing-application",
        "tracing-project",
        "user",
        "vcs-integration",
        "virtual-account",
        "workspace",
    }
)
TENANT_TYPES = frozenset({"account", "tenant"})
# What lies in what: a role on the outer resource covers the inner ones.
_PARENTS = {"provider-integration": "provider-account", "secret": "secret-group"}


@dataclass(frozen=True)
class Role:
    """What holders of it may do to resources of its type, and to what lies in them."""

    id: str
    resource_type: str
    actions: frozenset[str] = field(repr=False)
    everything: bool = False

    @property
    def is_default(self) -> bool:
        """Whether it is built in; such a role cannot be changed."""
        return self.id in BUILT_IN


def check_action(action: str) -> str:
    """The action; ValueError says what is allowed."""
    resource_type, _, verb = action.partition(":")
    if resource_type not in RESOURCE_TYPES or verb not in VERBS:
        raise ValueError("an action is <resource type>:<verb>; the verbs are " + ", ".join(VERBS))
    return action


def _of(resource_type: str, *verbs: str) -> frozenset[str]:
    return frozenset(f"{resource_type}:{verb}" for verb in verbs)


def _built_in() -> dict[str, Role]:
    roles = []
    for kind in sorted(RESOURCE_TYPES):
        within = [kind, *(inner for inner, outer in _PARENTS.items() if outer == kind)]
        for suffix, verbs in _SUFFIXES.items():
            actions = frozenset[str]().union(*(_of(name, *verbs) for name in within))
            roles.append(Role(f"{kind}-{suffix}", kind, actions))
    seen_in_team = _of("team", "read") | _of("virtual-account", "read")
    roles += [
        Role(TENANT_ADMIN, "tenant", frozenset(), everything=True),
        Role(TENANT_MEMBER, "tenant", _of("user", "read") | _of("team", "read")),
        Role(TEAM_MANAGER, "team", seen_in_team | _of("team", "update", "manage")),
        Role(TEAM_MEMBER, "team", seen_in_team),
    ]
    return {role.id: role for role in roles}  # the last four are special: they win


BUILT_IN = _built_in()


@dataclass(frozen=True)
class Resource:
    """What an action is done to: its type and name, and the team that owns it, if one does."""

    type: str
    fqn: str
    team: str | None = None


@dataclass(frozen=True)
class Grant:
    """A role on a resource. `tenant_wide`: the resource is the subject's own tenant."""

    role: Role
    resource_type: str
    resource_fqn: str
    tenant_wide: bool = False

    def covers(self, resource: Resource) -> bool:
        """Whether the resource is the grant's, lies in it, or is owned by it."""
        if self.tenant_wide:
            return True
        if self.resource_type == "team" and resource.team is not None:
            return self.resource_fqn == f"team:{resource.team}"
        if self.resource_type == resource.type:
            return self.resource_fqn == resource.fqn
        return self.resource_type == _PARENTS.get(resource.type) and resource.fqn.startswith(
            f"{self.resource_fqn}:"
        )


@dataclass(frozen=True)
class Permits:
    """All that one subject may do at this moment. Nothing is allowed that no grant allows.

    `teams` are the FQNs of those that it is in; a role on a team makes nobody a member.
    """

    grants: tuple[Grant, ...] = ()
    is_admin: bool = False
    teams: frozenset[str] = frozenset()

    @classmethod
    def of(cls, grants: tuple[Grant, ...], teams: frozenset[str] = frozenset()) -> Self:
        is_admin = any(grant.tenant_wide and grant.role.everything for grant in grants)
        return cls(grants, is_admin, teams)

    def allow(self, action: str, resource: Resource) -> bool:
        """Whether the action may be done to this resource."""
        return self.is_admin or any(
            action in grant.role.actions and grant.covers(resource) for grant in self.grants
        )

    def allow_everywhere(self, action: str) -> bool:
        """Whether the action may be done to every resource of the tenant."""
        return self.is_admin or any(
            action in grant.role.actions and grant.tenant_wide for grant in self.grants
        )

    def hold(self, role: Role, resource: Resource) -> bool:
        """Whether this role on this resource gives nothing that is not held already.

        Nobody grants what they do not hold.
        """
        if self.is_admin:
            return True
        return not role.everything and all(self.allow(action, resource) for action in role.actions)

    def subjects(self, own: str) -> frozenset[str]:
        """The subject's own name and those of its teams."""
        return self.teams | {own}

    def scope(self, action: str) -> tuple[frozenset[str], frozenset[str]]:
        """Where the action is allowed piece by piece: FQNs of resources, and names of teams.

        The FQNs are of resources of the action's own type and of what they lie in.
        """
        kind = action.partition(":")[0]
        fqns, teams = set(), set()
        for grant in self.grants:
            if action not in grant.role.actions or grant.tenant_wide:
                continue
            if grant.resource_type == "team":
                teams.add(grant.resource_fqn.removeprefix("team:"))
            elif grant.resource_type in {kind, _PARENTS.get(kind)}:
                fqns.add(grant.resource_fqn)
        return frozenset(fqns), frozenset(teams)


NOTHING = Permits()
EVERYTHING = Permits(is_admin=True)
