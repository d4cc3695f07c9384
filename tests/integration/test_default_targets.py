"""Who is told of an account: its own targets, else its team's, else the tenant's."""

from collections.abc import Callable
from typing import Any

import pytest
from keyturn_test_plugins import scripted
from sqlalchemy import event

from core.actors import Actor, ActorKind
from core.errors import Conflict, DestinationRefused, Forbidden, PlaceRefused
from models import AccountState, DefaultTarget, LaneState
from services.accounts import account_life
from services.integrations import integration_removal
from services.operation import tenants
from services.operation.bootstrap import ensure_tenant
from services.people import teams
from tests.support.telling import heard, tenant_tells, turn
from tests.support.world import HOURLY, LIMITS, World, stored, told_by

Given = dict[str, Any]


@pytest.fixture
def chat(world: World) -> tuple[str, scripted.Store]:
    return world.channel()


def team(world: World, name: str = "platform", **manifest: Any) -> None:
    given = {"name": name, "members": [], **manifest}
    teams.put_team(world.runtime, world.admin, given)


def test_the_accounts_targets_stand_in_for_the_teams_and_these_for_the_tenants(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    tenant_tells(world, told_by(fqn, to=["tenant"]))
    team(world, notification_targets=[told_by(fqn, to=["team"])])
    team(world, "bare")
    world.create("own", auto_rotate=HOURLY, notification_targets=[told_by(fqn, to=["own"])])
    for name, owner in (("of-team", "platform"), ("of-bare-team", "bare")):
        world.create(name, auto_rotate=HOURLY, ownedBy={"team": owner})
    world.create("of-nobody", auto_rotate=HOURLY)

    turn(world)

    assert [(address, account) for address, account, _ in heard(store)] == [
        ("own", "own"),
        ("team", "of-team"),
        ("tenant", "of-bare-team"),
        ("tenant", "of-nobody"),
    ]


def test_an_account_with_targets_of_its_own_in_a_team_has_only_these(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    team(world, notification_targets=[told_by(fqn, to=["team"])])
    own = [told_by(fqn, to=["own"])]
    account, _ = world.create(
        auto_rotate=HOURLY, ownedBy={"team": "platform"}, notification_targets=own
    )
    turn(world)

    world.put(account.name, auto_rotate=HOURLY, ownedBy={"team": "platform"})
    turn(world)

    assert [address for address, _, _ in heard(store)] == ["own", "team"]


def test_an_empty_list_means_that_nobody_is_told(world: World, chat: tuple[str, scripted.Store]):
    fqn, store = chat
    tenant_tells(world, told_by(fqn, to=["tenant"]))
    team(world, "quiet", notification_targets=[])
    world.create("silent", auto_rotate=HOURLY, notification_targets=[])
    world.create("of-quiet-team", auto_rotate=HOURLY, ownedBy={"team": "quiet"})

    turn(world)

    assert heard(store) == []


def test_defaults_that_change_count_from_the_next_event_on(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    tenant_tells(world, told_by(fqn, to=["ann"]))
    world.create(auto_rotate=HOURLY)
    turn(world)

    tenant_tells(world, told_by(fqn, to=["bob"], minimum_severity="warning"))
    turn(world)
    tenant_tells(world)
    turn(world)

    assert [address for address, _, _ in heard(store)] == ["ann"]
    assert world.rows(DefaultTarget) == []


def test_a_batch_reads_its_subscribers_in_as_many_queries_as_one_account(
    world: World, chat: tuple[str, scripted.Store]
):
    tenant_tells(world, told_by(chat[0], to=["tenant"]))
    team(world, notification_targets=[told_by(chat[0], to=["team"])])
    team(world, "bare")

    def make(number: int) -> None:
        for owner in ("platform", "bare"):
            world.create(f"{owner}-{number}", auto_rotate=HOURLY, ownedBy={"team": owner})

    make(0)
    few = statements(world, lambda: turn_due(world))
    for number in range(1, 8):
        make(number)
    many = statements(world, lambda: turn_due(world))

    assert many == few


def turn_due(world: World) -> None:
    world.clock.pass_(hours=1)
    assert world.rotate().turned > 0


def statements(world: World, work: Callable[[], None]) -> int:
    said: list[str] = []
    engine = world.runtime.database.engine

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", listen)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    return len(said)


def test_a_team_that_goes_takes_its_targets_along(world: World, chat: tuple[str, scripted.Store]):
    team(world, notification_targets=[told_by(chat[0], to=["team"])])

    teams.delete_team_by_name(world.runtime, world.admin, "platform")

    assert world.rows(DefaultTarget) == []


def test_who_may_not_use_a_channel_makes_it_nobodys_default(
    world: World, chat: tuple[str, scripted.Store]
):
    ann = Actor(world.tenant_id, ActorKind.USER, "ann@example.com")

    with pytest.raises(Forbidden):
        teams.put_team(
            world.runtime,
            ann,
            {"name": "mine", "members": [], "notification_targets": [told_by(chat[0])]},
        )
    with pytest.raises(Forbidden):
        tenants.set_limits(world.runtime, ann, {"notification_targets": [told_by(chat[0])]})

    assert world.rows(DefaultTarget) == []


def test_a_channel_that_is_somebodys_default_is_not_taken_away(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, _ = chat
    tenant_tells(world, told_by(fqn))
    team(world, notification_targets=[told_by(fqn)])

    with pytest.raises(Conflict, match="used by 1 teams and the security settings"):
        integration_removal.delete_provider_account(
            world.runtime, world.admin, "provider-account/custom", "chat-account"
        )


def test_a_channel_that_is_paused_is_told_beside_it_and_to_the_tenants_targets(world: World):
    (bad, refuses), (good, told), (ops, everybody) = (
        world.channel(name) for name in ("bad", "good", "ops")
    )
    tenant_tells(world, told_by(ops, to=["ops"]))
    world.create(
        auto_rotate=HOURLY, notification_targets=[told_by(bad, to=["x"]), told_by(good, to=["y"])]
    )
    refuses.always = DestinationRefused("wrong token")
    for _ in range(3):
        turn(world)
        for _ in range(3):
            world.clock.pass_(minutes=10)
            world.drain()

    assert world.lane(bad).state is LaneState.PAUSED
    assert [one for one in heard(told) if one[2] == "lane.paused"] == [("y", "None", "lane.paused")]
    assert heard(everybody) == [("ops", "None", "lane.paused")]
    assert heard(refuses) == []


def test_a_removal_that_fails_after_its_account_went_is_told_by_default(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    vault, held = world.store()
    tenant_tells(world, told_by(fqn, to=["tenant"]))
    account, _ = world.create(
        secret_store_config=stored(vault), notification_targets=[told_by(fqn, to=["own"])]
    )
    world.drain()
    held.always = PlaceRefused("read only")

    account_life.delete_account(world.runtime, world.admin, account.id)
    world.drain()

    assert world.fresh(account).state is AccountState.DELETED
    assert heard(store) == [("tenant", "ci-bot", "sync.failed")]
    ((notice, _),) = store.notices
    assert notice.facts["cause"] == "removed"


def test_another_tenants_defaults_hear_nothing(world: World, chat: tuple[str, scripted.Store]):
    fqn, store = chat
    tenant_tells(world, told_by(fqn, to=["acme"]))
    other = ensure_tenant(world.runtime, "globex", limits=LIMITS, admin_email="eve@example.com")
    globex = World(world.runtime, world.clock, other, world.folder)
    account, _ = globex.create(auto_rotate=HOURLY)

    turn(world)

    assert len(globex.tokens(account)) == 2
    assert heard(store) == []
