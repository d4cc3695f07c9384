"""People on both databases: who may do what to whom, and many at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.actors import Actor, ActorKind
from core.errors import Conflict, Forbidden, InvalidInput, KeyturnError
from core.ids import new_id
from models import (
    AuditRow,
    CustomRole,
    DeviceLogin,
    GrantRow,
    PersonalAccessToken,
    SubjectKind,
    Team,
    TeamMember,
    TokenRow,
    User,
    VirtualAccount,
)
from services.access.granting import Subject, Wish, settle_grants
from services.access.permits import permits_of_user
from services.operation import admin_reset, bootstrap, tenants
from services.outbox import Outbox
from services.people import device_login, invitations, personal_tokens, user_life
from services.people.personal_tokens import Wanted
from services.people.users import list_users
from tests.support.world import World

PAGE = "https://keys.example.com/accept"
ADMIN = "admin@example.com"


def register(world: World, email: str, *roles: str) -> User:
    user = invitations.register(world.runtime, world.admin, email).view.user
    if roles:
        user_life.change_roles(world.runtime, world.admin, email, roles)
    return user


def acting(world: World, email: str) -> Actor:
    """This person with their permits of now, as from a login session."""
    (user,) = world.rows(User, User.email == email)
    with world.runtime.database.reading() as session:
        tenant = bootstrap.only_tenant(session)
        permits = permits_of_user(session, tenant, user.id)
    return Actor(world.tenant_id, ActorKind.USER, email, user.id, permits)


def custom_role(world: World, name: str, *actions: str) -> None:
    now = world.clock.now()
    with world.runtime.database.writing() as session:
        session.add(
            CustomRole(
                tenant_id=world.tenant_id,
                id=new_id(),
                name=name,
                resource_type="account",
                actions=list(actions),
                manifest={},
                created_by={},
                created_at=now,
                updated_at=now,
            )
        )


def team_of(world: World, name: str, *users: User, admin: bool = False) -> None:
    """A team with these members; `admin`: it holds tenant-admin."""
    now = world.clock.now()
    team = Team(
        tenant_id=world.tenant_id,
        id=new_id(),
        name=name,
        manifest={},
        created_by={},
        created_at=now,
        updated_at=now,
    )

    def use_case(session: Any, _outbox: Outbox) -> None:
        session.add(team)
        session.flush()
        for user in users:
            session.add(TeamMember(team_id=team.id, user_id=user.id, tenant_id=world.tenant_id))
        if admin:
            tenant = bootstrap.only_tenant(session)
            subject = Subject(SubjectKind.TEAM, team.id)
            wish = Wish("tenant", tenant.name, "tenant-admin", "roles")
            settle_grants(session, world.admin, tenant, [subject], [wish])

    world.runtime.change(use_case)


def together(acts: list[Callable[[], Any]]) -> list[Any]:
    """All at the same moment; a refusal is answered as its class."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        gate.wait(10)
        try:
            return act()
        except KeyturnError as error:
            return type(error)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.fixture
def helpdesk(world: World) -> Actor:
    """Somebody who looks after people, and holds nothing else."""
    custom_role(world, "helpdesk", "user:create", "user:update", "user:delete", "user:manage")
    register(world, "helen@example.com", "helpdesk")
    return acting(world, "helen@example.com")


def test_a_custom_role_is_enough_to_look_after_people_who_hold_no_more(
    world: World, helpdesk: Actor
):
    invitations.register(world.runtime, helpdesk, "ann@example.com")
    user_life.set_active(world.runtime, helpdesk, "ann@example.com", active=False)
    user_life.set_active(world.runtime, helpdesk, "ann@example.com", active=True)
    user_life.change_roles(world.runtime, helpdesk, "ann@example.com", ["helpdesk"])
    (ann,) = world.rows(User, User.email == "ann@example.com")
    user_life.delete_user(world.runtime, helpdesk, str(ann.id))

    assert world.rows(User, User.email == "ann@example.com") == []
    done = [row.action for row in world.rows(AuditRow) if row.actor["kind"] == "user"]
    assert done == [
        "user.registered",
        "user.deactivated",
        "user.activated",
        "user.roles-changed",
        "user.deleted",
    ]


@pytest.mark.parametrize("role", ["tenant-admin", "account-viewer"])
def test_nobody_touches_somebody_who_holds_more(world: World, helpdesk: Actor, role: str):
    boss = register(world, "boss@example.com", role)
    email, runtime = boss.email, world.runtime
    acts: list[Callable[[], object]] = [
        lambda: user_life.change_roles(runtime, helpdesk, email, ["tenant-member"]),
        lambda: user_life.set_active(runtime, helpdesk, email, active=False),
        lambda: user_life.delete_user(runtime, helpdesk, str(boss.id)),
        lambda: invitations.invite(runtime, helpdesk, email, page_url=PAGE),
    ]

    for act in acts:
        with pytest.raises(Forbidden, match=f"{email} holds {role} on acme"):
            act()

    (still,) = world.rows(User, User.email == email)
    assert (still.active, still.invitation) == (True, None)


def test_what_a_team_holds_makes_its_members_stronger(world: World, helpdesk: Actor):
    ann = register(world, "ann@example.com")
    team_of(world, "owners", ann, admin=True)

    with pytest.raises(Forbidden):
        user_life.set_active(world.runtime, helpdesk, ann.email, active=False)


def test_nobody_gives_a_role_that_they_do_not_hold(world: World, helpdesk: Actor):
    for role in ("tenant-admin", "account-viewer"):
        with pytest.raises(Forbidden):
            user_life.change_roles(world.runtime, helpdesk, helpdesk.name, ["helpdesk", role])

    assert acting(world, helpdesk.name).permits == helpdesk.permits


def test_a_new_link_for_somebody_who_is_registered_needs_more_than_to_register(world: World):
    custom_role(world, "greeter", "user:create")
    register(world, "greta@example.com", "greeter")
    register(world, "ann@example.com")
    greeter = acting(world, "greta@example.com")

    invitations.invite(world.runtime, greeter, "new@example.com", page_url=PAGE)
    with pytest.raises(Forbidden, match="user:manage"):
        invitations.invite(world.runtime, greeter, "ann@example.com", page_url=PAGE)


def test_a_persons_roles_on_other_things_outlast_a_change_of_those_on_the_tenant(world: World):
    ann = register(world, "ann@example.com")
    with world.runtime.database.writing() as session:
        session.add(
            GrantRow(
                tenant_id=world.tenant_id,
                id=new_id(),
                subject_kind=SubjectKind.USER,
                subject_id=ann.id,
                resource_type="secret-group",
                resource_fqn="acme:own",
                role="secret-group-admin",
            )
        )

    user_life.change_roles(world.runtime, world.admin, ann.email, ["account-viewer"])
    user_life.change_roles(world.runtime, world.admin, ann.email, ["tenant-member"])

    held = [row.role for row in world.rows(GrantRow, GrantRow.subject_id == ann.id)]
    assert held == ["secret-group-admin"]


def test_an_admin_by_a_team_is_an_admin_who_can_stay_as_the_last(world: World):
    ann = register(world, "ann@example.com")
    team_of(world, "owners", ann, admin=True)

    user_life.change_roles(world.runtime, world.admin, ADMIN, ["tenant-member"])

    with pytest.raises(Conflict, match="last active tenant-admin"):
        user_life.set_active(world.runtime, world.admin, ann.email, active=False)


@pytest.mark.law(14)
def test_two_admins_cannot_take_away_each_other(world: World):
    emails = [ADMIN, *(f"admin-{number}@example.com" for number in range(5))]
    for email in emails[1:]:
        register(world, email, "tenant-admin")
    actors = {email: acting(world, email) for email in emails}

    def without(target: str, actor: str) -> Callable[[], object]:
        return lambda: user_life.set_active(world.runtime, actors[actor], target, active=False)

    answers = together([without(e, emails[n - 1]) for n, e in enumerate(emails)])

    left, total = list_users(world.runtime, world.admin, limit=9, offset=0)
    assert len(left) == total == 1
    assert answers.count(Conflict) == 1


@pytest.mark.law(14)
def test_an_invitation_opens_one_login_however_many_use_it_at_once(world: World):
    link = invitations.invite(world.runtime, world.admin, "ann@example.com", page_url=PAGE).link
    token = link.rpartition("token=")[2]

    answers = together([lambda: invitations.accept(world.runtime, token)] * 6)

    assert answers.count(InvalidInput) == 5


@pytest.mark.law(14)
def test_tokens_made_at_once_pass_neither_their_name_nor_the_most(world: World):
    tenants.set_limits(world.runtime, world.admin, {"pat_most_per_user": 3})

    def make(name: str) -> Callable[[], object]:
        wanted = Wanted(name=name)
        return lambda: personal_tokens.create_for(world.runtime, world.admin, ADMIN, wanted)

    names = together([make("laptop")] * 4)
    counts = together([make(f"token-{number}") for number in range(6)])

    assert names.count(Conflict) == 3
    assert counts.count(InvalidInput) == 4
    assert len(world.rows(PersonalAccessToken)) == 3


def test_registering_at_once_makes_one_person(world: World):
    def one() -> object:
        return invitations.register(world.runtime, world.admin, "ann@example.com")

    answers = together([one] * 5)

    assert answers.count(Conflict) == 4


def test_who_is_deleted_takes_along_what_hangs_on_them(world: World):
    ann = register(world, "ann@example.com", "account-viewer")
    team_of(world, "platform", ann)
    personal_tokens.create_for(world.runtime, world.admin, ann.email, Wanted(name="laptop"))
    begun = device_login.begin_login(world.runtime, "acme")
    device_login.approve_login(world.runtime, acting(world, ann.email), begun.user_code)

    user_life.delete_user(world.runtime, world.admin, str(ann.id))

    assert world.rows(PersonalAccessToken) == world.rows(DeviceLogin) == []
    with world.runtime.database.reading() as session:
        assert session.query(TeamMember).count() == 0
    assert len(world.rows(Team)) == 1


def test_the_first_admins_token_ends_in_the_commit_that_makes_it(world: World, tmp_path: Path):
    bootstrap.bootstrap_admin(world.runtime, world.tenant_id, tmp_path / "token")

    (row,) = world.rows(TokenRow)
    assert row.valid_until == row.expires_at == world.clock.now() + timedelta(days=30)
    with pytest.raises(Conflict):
        bootstrap.bootstrap_admin(world.runtime, world.tenant_id, tmp_path / "again")


@pytest.mark.law(14)
def test_the_first_admin_is_made_once_however_many_try(world: World, tmp_path: Path):
    def make(number: int) -> Callable[[], object]:
        file = tmp_path / f"token-{number}"
        return lambda: bootstrap.bootstrap_admin(world.runtime, world.tenant_id, file)

    answers = together([make(number) for number in range(4)])

    assert answers.count(Conflict) == 3
    assert len(world.rows(VirtualAccount)) == 1
    assert len(list(tmp_path.glob("token-*"))) == 1


def test_a_reset_keeps_what_the_admins_account_does_besides(world: World):
    fqn = world.file_store()
    place = {"type": "secret-store", "integration_fqn": fqn, "secret_path": "admin/token"}
    world.create("keyturn-admin", secret_store_config=place, tags={"why": "ours"})

    token = admin_reset.reset_admin(world.runtime, world.admin, "Ann@example.com")
    world.drain()

    (account,) = world.rows(VirtualAccount)
    assert world.works(token)
    assert world.file("admin/token") == token.reveal()
    assert account.manifest["tags"] == {"why": "ours"}
    assert account.manifest["permissions"][0]["role_id"] == "tenant-admin"
    assert acting(world, "ann@example.com").permits.is_admin
