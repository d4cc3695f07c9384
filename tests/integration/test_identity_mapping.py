"""Accounts with an identity-provider mapping have no token of their own."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.actors import Actor, ActorKind
from core.errors import Conflict, Forbidden, InvalidInput
from core.roles import Grant, Permits, Role
from models import IdentityMapping, TokenRow, TokenState, VirtualAccount
from services.accounts import account_life
from services.accounts.accounts import put_account
from services.delivery import syncing
from services.engine import tokens
from services.identity.identity_mapping import NO_TOKEN
from services.operation import recovery
from services.operation.bootstrap import ensure_tenant
from tests.support.identity import trust_unseen
from tests.support.world import HOURLY, LIMITS, World, stored

CI = [{"identity_provider": "github", "value": "repo:acme/shop:ref:refs/heads/main"}]
LONG = {"interval": "1h", "grace": "10m"}


@pytest.fixture(autouse=True)
def _provider(world: World) -> None:
    trust_unseen(world)


def mapped(world: World, name: str = "ci-bot", **manifest: Any) -> VirtualAccount:
    put = world.put(name, identity_provider_mapping=CI, **manifest)
    assert put.token is None
    return put.view.account


def live(world: World, account: VirtualAccount) -> list[TokenState]:
    states = [row.state for row in world.tokens(account)]
    return [state for state in states if state in {TokenState.CURRENT, TokenState.GRACE}]


def test_a_mapped_account_is_made_without_a_token(world: World):
    account = mapped(world)

    assert live(world, account) == []
    [never_shown] = world.tokens(account)
    assert (never_shown.state, never_shown.sealed) == (TokenState.REVOKED, None)


@pytest.mark.law(4)
def test_a_mapping_ends_the_token_by_its_grace_and_its_removal_mints_one(world: World):
    account, old = world.create(auto_rotate=LONG)
    world.clock.pass_(minutes=5)

    mapped(world)
    through_grace = world.works(old)
    world.clock.pass_(minutes=10)
    after_grace = world.works(old)
    world.expire()
    world.put(auto_rotate=LONG)

    assert (through_grace, after_grace) == (True, False)
    assert live(world, account) == [TokenState.CURRENT]
    assert world.current(account).generation == 2
    new = tokens.read_token(world.runtime, world.admin, account.id)
    assert world.works(new)
    assert world.fresh(account).next_rotation_at == world.clock.now() + timedelta(hours=1)


def test_people_are_told_before_a_mapped_accounts_last_token_ends(world: World):
    fqn, chat = world.channel()
    told = {"type": "scripted", "notification_channel": fqn}
    world.create(auto_rotate=LONG, notification_target=told)
    mapped(world, notification_target=told)

    world.clock.pass_(minutes=8)
    world.tell()
    world.drain()

    assert len(world.told("token.grace_ending")) == 1
    assert len(chat.notices) == 1


def test_a_mapped_account_does_not_rotate_on_schedule(world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    mapped(world)

    world.clock.pass_(days=2)

    assert world.rotate().claimed == 0
    assert world.fresh(account).due_at is None


def test_a_mapping_and_auto_rotate_are_refused_together(world: World):
    with pytest.raises(InvalidInput, match=r"^auto_rotate: "):
        mapped(world, auto_rotate=HOURLY)


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ([*CI, *CI], "identity_provider_mapping.1"),
        ([{"identity_provider": "github"}], "identity_provider_mapping.0.value"),
        ([{"identity_provider": "", "value": "x"}], "identity_provider_mapping.0.identity_pro"),
        ([{**CI[0], "identity_provider": "okta"}], "identity_provider_mapping.0.identity_provider"),
        ([{**CI[0], "value": "*"}], "identity_provider_mapping.0"),
        ([{**CI[0], "conditions": [{"claim": "ref"}]}], "identity_provider_mapping.0.conditions.0"),
        ("github", "identity_provider_mapping"),
    ],
)
def test_a_wrong_mapping_is_refused_by_its_field(world: World, mapping: object, field: str):
    with pytest.raises(InvalidInput, match=f"^{field}"):
        world.put(identity_provider_mapping=mapping)


def test_a_mapped_account_has_no_token_to_read_rotate_or_send(world: World):
    account = mapped(world)
    runtime, admin = world.runtime, world.admin

    for act in (
        lambda: tokens.read_token(runtime, admin, account.id),
        lambda: tokens.rotate_account(runtime, admin, account.id),
        lambda: tokens.regenerate_token(runtime, admin, account.id, grace=timedelta(0)),
        lambda: syncing.sync_now(runtime, admin, account.id, force=True),
    ):
        with pytest.raises(Conflict, match="ci-bot has no token of its own"):
            act()
    assert live(world, account) == []


def test_a_value_belongs_to_one_account(world: World):
    mapped(world)

    with pytest.raises(Conflict, match=r"identity_provider_mapping.0 belongs to another account"):
        mapped(world, "other")


def test_a_value_of_a_deleted_account_is_free(world: World):
    account = mapped(world)
    account_life.delete_account(world.runtime, world.admin, account.id)

    other = mapped(world, "other")

    [row] = world.rows(IdentityMapping)
    assert row.subject_id == other.id


def test_a_value_that_is_taken_out_of_a_manifest_is_free(world: World):
    mapped(world)
    world.put()

    other = mapped(world, "other")

    [row] = world.rows(IdentityMapping)
    assert row.subject_id == other.id


def test_the_same_mapping_again_changes_nothing(world: World):
    mapped(world)
    before = world.rows(IdentityMapping)

    again = world.put(identity_provider_mapping=CI)

    assert not again.changed
    assert [row.id for row in world.rows(IdentityMapping)] == [row.id for row in before]


def test_a_new_expiration_date_mints_nothing_for_a_mapped_account(world: World):
    account = mapped(world, expiration_date="2026-03-02")
    world.clock.pass_(days=2)

    mapped(world, expiration_date="2026-12-31")

    assert live(world, account) == []


def test_turning_every_key_mints_nothing_for_a_mapped_account(world: World):
    account = mapped(world)

    list(recovery.turn_every_key(world.runtime, "tester"))

    assert live(world, account) == []


def test_revoking_all_ends_what_is_left_and_leaves_a_mapped_account_active(world: World):
    account, old = world.create(auto_rotate=LONG)
    mapped(world)

    tokens.revoke_all(world.runtime, world.admin, account.id)

    assert not world.works(old)
    assert world.fresh(account).state.value == "active"


def test_a_mapped_account_with_a_store_is_warned_about(world: World):
    put = world.put(identity_provider_mapping=CI, secret_store_config=stored(world.file_store()))

    assert put.warnings == [NO_TOKEN]


def test_a_removed_mapping_sends_the_new_token_to_the_stores(world: World):
    fqn = world.file_store()
    account = mapped(world, secret_store_config=stored(fqn))
    world.put(secret_store_config=stored(fqn))

    world.drain()

    token = tokens.read_token(world.runtime, world.admin, account.id)
    assert world.file("ci/token") == token.reveal()


def test_who_may_not_read_the_token_may_not_map_the_account(world: World):
    account, old = world.create()
    role = Role("updater", "virtual-account", frozenset({"virtual-account:update"}))
    permits = Permits((Grant(role, "virtual-account", account.fqn),))
    updater = Actor(world.tenant_id, ActorKind.USER, "ann@example.com", permits=permits)
    given = {"name": "ci-bot", "identity_provider_mapping": CI}

    with pytest.raises(Forbidden, match="read-token"):
        put_account(world.runtime, updater, given)

    assert world.works(old)
    assert world.rows(IdentityMapping) == []


def test_another_tenant_may_map_the_same_value(world: World):
    mapped(world)

    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@example.com")
    trust_unseen(world, by=Actor.operator(other, "tester"))
    given = {"name": "ci-bot", "identity_provider_mapping": CI}
    put_account(world.runtime, Actor.operator(other, "tester"), given)

    with world.runtime.database.reading() as session:
        tenants = session.scalars(select(IdentityMapping.tenant_id)).all()
    assert set(tenants) == {world.tenant_id, other}


def test_every_account_has_the_token_of_its_generation(world: World):
    mapped(world)

    [account] = world.rows(VirtualAccount)
    [row] = world.rows(TokenRow)
    assert row.generation == account.generation == 1
