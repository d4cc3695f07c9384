"""What verifiers have to hear of is written in its own commit, and nothing else is."""

from collections.abc import Callable
from uuid import UUID

import pytest

from core.errors import Conflict
from models import Change, PersonalAccessToken
from services.access import bindings
from services.accounts import account_life
from services.engine import tokens
from services.operation import admin_reset, housekeeping, tenants
from services.people import personal_tokens, sessions, teams, user_life
from tests.support.change_case import Case
from tests.support.world import HOURLY, World, stored

MAPPED = [{"identity_provider": "github", "value": "repo:acme/app"}]


@pytest.fixture
def case(world: World) -> Case:
    made = Case(world)
    made.forget()
    return made


def revoke_one_in_grace(case: Case) -> set[UUID]:
    old = case.in_grace()
    case.forget()
    case.do(tokens.revoke_token, case.account.id, old)
    return {old}


def revoke_the_current_one(case: Case) -> set[UUID]:
    case.do(tokens.revoke_token, case.account.id, case.token_id)
    return {case.token_id}


def revoke_all(case: Case) -> set[UUID]:
    case.do(tokens.revoke_all, case.account.id)
    return {case.token_id, case.account.id}


def regenerate_at_once(case: Case) -> set[UUID]:
    case.do(tokens.regenerate_token, case.account.id, grace=case.account.grace * 0)
    return {case.token_id}


def rotate_with_a_grace_shorter_than_what_is_kept(case: Case) -> set[UUID]:
    case.world.clock.pass_(hours=1)
    case.world.rotate()
    return {case.token_id}


def release_a_token_that_ends_soon(case: Case) -> set[UUID]:
    fqn, _ = case.world.store()
    case.put(secret_store_config=stored(fqn))
    case.world.drain()
    case.do(tokens.rotate_account, case.account.id)
    assert case.told() == set()  # held for hours
    case.world.clock.pass_(seconds=15)
    case.world.drain()
    return {case.token_id}


def move_the_end_into_the_past(case: Case) -> set[UUID]:
    case.put(expiration_date="2026-03-01")
    return {case.token_id}


def delete_an_account(case: Case) -> set[UUID]:
    case.do(account_life.delete_account, case.account.id)
    return {case.token_id, case.account.id}


def map_an_account(case: Case) -> set[UUID]:
    case.world.put(identity_provider_mapping=MAPPED)
    return {case.account.id, case.token_id}


def unmap_an_account(case: Case) -> set[UUID]:
    case.world.put(identity_provider_mapping=MAPPED)
    case.forget()
    case.world.put()
    return {case.account.id}


def reset_the_admin(case: Case) -> set[UUID]:
    admin_reset.reset_admin(case.world.runtime, case.world.admin, "ann@example.com")
    return {case.ann.id}


def deactivate_a_person(case: Case) -> set[UUID]:
    case.do(user_life.set_active, "ann@example.com", active=False)
    return {case.ann.id}


def activate_a_person(case: Case) -> set[UUID]:
    case.do(user_life.set_active, "ann@example.com", active=False)
    case.forget()
    case.do(user_life.set_active, "ann@example.com", active=True)
    return {case.ann.id}


def delete_a_person(case: Case) -> set[UUID]:
    case.do(user_life.delete_user, str(case.ann.id))
    return {case.ann.id}


def change_somebodys_roles(case: Case) -> set[UUID]:
    case.do(user_life.change_roles, "ann@example.com", ["tenant-admin"])
    return {case.ann.id}


def revoke_a_personal_token(case: Case) -> set[UUID]:
    case.do(personal_tokens.revoke, str(case.ann.token_id))
    return {case.ann.token_id}


def revoke_all_of_somebodys(case: Case) -> set[UUID]:
    case.do(personal_tokens.revoke_all_of, "ann@example.com")
    return {case.ann.token_id}


def log_out(case: Case) -> set[UUID]:
    sessions.end_session(case.world.runtime, case.called_by_login)
    return {case.login_id}


def put_somebody_into_a_team(case: Case) -> set[UUID]:
    case.team()
    case.forget()
    case.team("ann@example.com")
    return {case.ann.id}


def make_a_member_a_manager(case: Case) -> set[UUID]:
    case.team("ann@example.com")
    case.forget()
    case.team(managers=["ann@example.com"])
    return {case.ann.id}


def take_somebody_out_of_a_team(case: Case) -> set[UUID]:
    case.team("ann@example.com")
    case.forget()
    case.team()
    return {case.ann.id}


def delete_a_team(case: Case) -> set[UUID]:
    team_id = case.team("ann@example.com")
    case.forget()
    case.do(teams.delete_team, team_id)
    return {case.whole}


def give_an_account_to_a_team(case: Case) -> set[UUID]:
    team = case.team("ann@example.com")
    case.forget()
    case.put(ownedBy={"team": "ops"})
    return {UUID(team)}


def create_an_account_of_a_team(case: Case) -> set[UUID]:
    team = case.team("ann@example.com")
    case.forget()
    case.world.create("team-bot", ownedBy={"team": "ops"})
    return {UUID(team)}


def take_an_account_from_a_team(case: Case) -> set[UUID]:
    team = case.team("ann@example.com")
    case.put(ownedBy={"team": "ops"})
    case.forget()
    case.put()
    return {UUID(team)}


def delete_an_account_of_a_team(case: Case) -> set[UUID]:
    team = case.team("ann@example.com")
    case.put(ownedBy={"team": "ops"})
    case.forget()
    case.do(account_life.delete_account, case.account.id)
    return {UUID(team), case.account.id}


def permit_an_account_something(case: Case) -> set[UUID]:
    held = {"resource_type": "account", "resource_fqn": "acme", "role_id": "account-viewer"}
    case.put(permissions=[held])
    return {case.account.id}


def change_what_a_role_allows(case: Case) -> set[UUID]:
    case.role()
    case.forget()
    case.role("virtual-account:manage")
    return {case.whole}


def bind_a_person(case: Case) -> set[UUID]:
    case.binding()
    return {case.ann.id}


def bind_a_team(case: Case) -> set[UUID]:
    case.team("ann@example.com")
    case.forget()
    case.binding("team", "ops")
    return {case.whole}


def delete_a_binding(case: Case) -> set[UUID]:
    binding_id = case.binding()
    case.forget()
    case.do(bindings.delete_binding, binding_id)
    return {case.ann.id, case.whole}


TOLD = [
    revoke_one_in_grace,
    revoke_the_current_one,
    revoke_all,
    regenerate_at_once,
    rotate_with_a_grace_shorter_than_what_is_kept,
    release_a_token_that_ends_soon,
    move_the_end_into_the_past,
    delete_an_account,
    map_an_account,
    unmap_an_account,
    reset_the_admin,
    deactivate_a_person,
    activate_a_person,
    delete_a_person,
    change_somebodys_roles,
    revoke_a_personal_token,
    revoke_all_of_somebodys,
    log_out,
    put_somebody_into_a_team,
    make_a_member_a_manager,
    take_somebody_out_of_a_team,
    delete_a_team,
    give_an_account_to_a_team,
    create_an_account_of_a_team,
    take_an_account_from_a_team,
    delete_an_account_of_a_team,
    permit_an_account_something,
    change_what_a_role_allows,
    bind_a_person,
    bind_a_team,
    delete_a_binding,
]


@pytest.mark.parametrize("change", TOLD, ids=lambda change: change.__name__)
def test_what_makes_a_kept_answer_wrong_is_told(case: Case, change: Callable[[Case], set[UUID]]):
    about = change(case)

    assert about <= case.told()


def rotate(case: Case) -> None:
    case.world.put(auto_rotate=HOURLY)
    case.world.clock.pass_(hours=1)
    assert case.world.rotate().turned == 1


def let_a_token_expire(case: Case) -> None:
    case.put(expiration_date="2026-03-03")
    case.world.clock.pass_(days=3)
    assert case.world.expire() == 1


def shorten_long_personal_tokens(case: Case) -> None:
    longest = case.account.max_hold * 24
    case.do(tenants.set_limits, {"pat_longest_life": longest}, shorten=True)
    assert case.world.rows(PersonalAccessToken)[0].expires_at is not None


def pause_an_account(case: Case) -> None:
    case.do(account_life.pause_account, case.account.id)


def create_another_account(case: Case) -> None:
    case.world.create("other-bot", auto_rotate=HOURLY)


def rehearse_a_change(case: Case) -> None:
    manifest = {"name": "ops", "members": ["ann@example.com"]}
    case.do(teams.put_team, manifest, dry_run=True)


def be_refused(case: Case) -> None:
    case.do(user_life.change_roles, "admin@example.com", ["tenant-admin"])
    case.forget()
    with pytest.raises(Conflict):
        case.do(user_life.set_active, "admin@example.com", active=False)


NOT_TOLD = [
    rotate,
    let_a_token_expire,
    shorten_long_personal_tokens,
    pause_an_account,
    create_another_account,
    rehearse_a_change,
    be_refused,
]


@pytest.mark.parametrize("change", NOT_TOLD, ids=lambda change: change.__name__)
def test_what_verifiers_see_by_themselves_is_not_told(case: Case, change: Callable[[Case], None]):
    change(case)

    assert case.told() == set()


def test_what_was_told_goes_after_an_hour(case: Case):
    deactivate_a_person(case)
    case.world.clock.pass_(minutes=59)
    housekeeping.prune(case.world.runtime)
    before = case.told()

    case.world.clock.pass_(minutes=2)
    gone = housekeeping.prune(case.world.runtime)

    assert (before, gone, case.told()) == ({case.ann.id}, 1, set())


def test_a_number_is_never_given_twice_though_old_changes_go(case: Case):
    deactivate_a_person(case)
    (first,) = case.world.rows(Change)
    case.forget()

    activate_a_person(case)

    assert case.world.rows(Change)[0].id > first.id
