"""Roles, grants and permits: what they allow, and that granting raises nobody's privilege."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.roles import (
    BUILT_IN,
    EVERYTHING,
    NOTHING,
    RESOURCE_TYPES,
    TEAM_MANAGER,
    TEAM_MEMBER,
    TENANT_ADMIN,
    TENANT_MEMBER,
    TENANT_TYPES,
    VERBS,
    Grant,
    Permits,
    Resource,
    Role,
    check_action,
)

TENANT = "acme"
# A small world, in which most things have to do with each other.
ACTIONS = [
    "provider-account:use",
    "provider-integration:use",
    "role-binding:create",
    "secret:read",
    "secret-group:read",
    "team:manage",
    "virtual-account:read",
    "virtual-account:read-token",
]
THINGS = {
    "account": [TENANT],
    "tenant": [TENANT],
    "provider-account": ["acme:aws:prod", "acme:aws:prod2"],
    "provider-integration": [
        "acme:aws:prod:secret-store:main",
        "acme:aws:prod2:secret-store:main",
    ],
    "secret": ["acme:db:password"],
    "secret-group": ["acme:db"],
    "team": ["team:ops", "team:dev"],
    "virtual-account": ["virtualaccount:bot", "virtualaccount:ops"],
}
UNIVERSE = [
    *(Resource(kind, fqn) for kind, fqns in THINGS.items() for fqn in fqns),
    *(
        Resource("virtual-account", fqn, team)
        for fqn in THINGS["virtual-account"]
        for team in ("ops", "dev")
    ),
]

INTEGRATOR = BUILT_IN["provider-account-admin"]

roles = st.one_of(
    st.sampled_from([BUILT_IN[name] for name in (TENANT_ADMIN, TENANT_MEMBER)]),
    st.sampled_from(
        [BUILT_IN[name] for name in (TEAM_MANAGER, TEAM_MEMBER, "provider-account-admin")]
    ),
    st.builds(
        Role,
        st.just("custom"),
        st.sampled_from(sorted(THINGS)),
        st.frozensets(st.sampled_from(ACTIONS), min_size=1, max_size=4),
    ),
)


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    role = draw(roles)
    kinds = sorted(TENANT_TYPES) if role.resource_type in TENANT_TYPES else [role.resource_type]
    kind = draw(st.sampled_from(kinds))
    fqn = draw(st.sampled_from(THINGS[kind]))
    return Grant(role, kind, fqn, tenant_wide=kind in TENANT_TYPES)


permits = st.lists(grants(), max_size=4).map(lambda held: Permits.of(tuple(held)))


def power(held: Permits) -> set[tuple[str, object]]:
    """All that these permits allow in the small world."""
    allowed: set[tuple[str, object]] = {
        (action, resource)
        for action in ACTIONS
        for resource in UNIVERSE
        if held.allow(action, resource)
    }
    allowed |= {(action, "everywhere") for action in ACTIONS if held.allow_everywhere(action)}
    return allowed | ({("everything", "")} if held.is_admin else set())


@given(permits, grants())
def test_what_may_be_granted_gives_nobody_more_than_the_grantor_has(grantor: Permits, grant: Grant):
    assume(grantor.hold(grant.role, Resource(grant.resource_type, grant.resource_fqn)))

    assert power(Permits.of((grant,))) <= power(grantor)


@given(st.lists(permits, min_size=2, max_size=4), st.data())
def test_no_chain_of_grants_gives_anybody_more_than_all_had_together(
    people: list[Permits], data: st.DataObject
):
    most = set().union(*(power(one) for one in people))

    for _ in range(4):
        giver, taker = (data.draw(st.integers(0, len(people) - 1)) for _ in range(2))
        grant = data.draw(grants())
        if people[giver].hold(grant.role, Resource(grant.resource_type, grant.resource_fqn)):
            people[taker] = Permits.of((*people[taker].grants, grant))

    assert set().union(*(power(one) for one in people)) <= most


@given(permits, grants())
def test_who_may_do_all_that_a_role_allows_in_the_tenant_may_grant_it(
    grantor: Permits, grant: Grant
):
    everywhere = all(grantor.allow_everywhere(action) for action in grant.role.actions)
    assume(grantor.is_admin or (everywhere and not grant.role.everything))

    assert grantor.hold(grant.role, Resource(grant.resource_type, grant.resource_fqn))


@given(permits)
def test_what_is_held_may_be_granted_on(grantor: Permits):
    for grant in grantor.grants:
        assert grantor.hold(grant.role, Resource(grant.resource_type, grant.resource_fqn))


@given(permits, grants())
def test_another_grant_takes_nothing_away(held: Permits, grant: Grant):
    assert power(held) <= power(Permits.of((*held.grants, grant)))


@given(permits)
def test_what_is_allowed_everywhere_is_allowed_on_everything(held: Permits):
    for action in ACTIONS:
        if held.allow_everywhere(action):
            assert all(held.allow(action, resource) for resource in UNIVERSE)


@given(permits, st.sampled_from(["virtual-account:read", "virtual-account:read-token"]))
def test_lists_show_just_what_may_be_read_one_by_one(held: Permits, action: str):
    fqns, teams = held.scope(action)
    everywhere = held.allow_everywhere(action)

    for resource in UNIVERSE:
        if resource.type == "virtual-account":
            listed = everywhere or resource.fqn in fqns or resource.team in teams
            assert listed == held.allow(action, resource)


def test_nothing_is_allowed_that_no_grant_allows():
    assert power(NOTHING) == set()
    assert not NOTHING.hold(BUILT_IN[TEAM_MEMBER], Resource("team", "team:ops"))


def test_an_admin_may_do_and_grant_everything():
    assert all(EVERYTHING.allow(action, one) for action in ACTIONS for one in UNIVERSE)
    assert all(EVERYTHING.hold(role, Resource("tenant", TENANT)) for role in BUILT_IN.values())


def test_every_action_there_is_does_not_make_an_admin():
    every = frozenset(f"{kind}:{verb}" for kind in RESOURCE_TYPES for verb in VERBS)
    held = Permits.of((Grant(Role("all", "account", every), "account", TENANT, tenant_wide=True),))

    assert not held.is_admin
    assert not held.hold(BUILT_IN[TENANT_ADMIN], Resource("account", TENANT))


def test_tenant_admin_elsewhere_than_on_the_tenant_is_nothing():
    assert not Permits.of((Grant(BUILT_IN[TENANT_ADMIN], "tenant", "umbrella"),)).is_admin


def test_a_role_on_a_team_makes_nobody_a_member():
    on_team = Grant(BUILT_IN["team-admin"], "team", "team:ops")
    member = Permits.of((on_team,), frozenset({"team:ops"}))

    assert Permits.of((on_team,)).subjects("user:eve") == {"user:eve"}
    assert member.subjects("user:ann") == {"user:ann", "team:ops"}


def test_a_role_on_a_team_covers_the_accounts_it_owns_and_no_others():
    held = Permits.of((Grant(BUILT_IN[TEAM_MEMBER], "team", "team:ops"),))
    owned, others = (Resource("virtual-account", "virtualaccount:bot", t) for t in ("ops", "dev"))

    assert held.allow("virtual-account:read", owned)
    assert not held.allow("virtual-account:read", others)
    assert not held.allow("virtual-account:read", Resource("virtual-account", "virtualaccount:ops"))
    assert not held.allow("virtual-account:create", owned)


def test_a_role_covers_what_lies_in_its_resource_and_not_what_is_named_alike():
    held = Permits.of(
        (Grant(BUILT_IN["provider-account-admin"], "provider-account", "acme:aws:p"),)
    )

    def may(fqn: str) -> bool:
        return held.allow("provider-integration:use", Resource("provider-integration", fqn))

    assert may("acme:aws:p:secret-store:main")
    assert not may("acme:aws:p2:secret-store:main")
    assert not may("acme:aws:p")


def test_names_of_one_type_do_not_stand_for_another():
    odd = Role("odd", "cluster", frozenset({"virtual-account:read"}))
    held = Permits.of((Grant(odd, "cluster", "virtualaccount:bot"),))

    assert held.scope("virtual-account:read") == (frozenset(), frozenset())
    assert not held.allow("virtual-account:read", Resource("virtual-account", "virtualaccount:bot"))


def test_the_built_in_roles_are_three_of_each_type_and_the_team_manager():
    suffixes = ("viewer", "member", "admin")
    three = {f"{kind}-{suffix}" for kind in RESOURCE_TYPES for suffix in suffixes}

    assert set(BUILT_IN) == three | {TEAM_MANAGER}
    assert BUILT_IN[TENANT_ADMIN].everything
    assert BUILT_IN[TENANT_MEMBER].actions == {"user:read", "team:read"}
    assert BUILT_IN[TEAM_MEMBER].actions == {"team:read", "virtual-account:read"}
    assert BUILT_IN["team-viewer"].actions == {"team:read"}
    assert BUILT_IN["secret-group-member"].actions == {
        "secret-group:read",
        "secret-group:use",
        "secret:read",
        "secret:use",
    }
    assert all(role.is_default for role in BUILT_IN.values())


@pytest.mark.parametrize(
    "text",
    ["", "read", "team:", ":read", "team:fly", "spaceship:read", "team:read:all", "TEAM:read"],
)
def test_an_action_is_a_type_and_a_verb(text: str):
    with pytest.raises(ValueError, match="<resource type>:<verb>"):
        check_action(text)


def test_an_action_that_is_one_passes_unchanged():
    assert check_action("virtual-account:read-token") == "virtual-account:read-token"
