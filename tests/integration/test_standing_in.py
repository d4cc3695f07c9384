"""What a dead channel cannot tell is told by the next one, which says so; nobody hears it twice."""

from typing import Any

import pytest
from keyturn_test_plugins import scripted

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.events import PERSONAL, EventType
from models import Delivery, DeliveryState, LaneState
from notifiers.base import Notice
from notifiers.words import figures
from services.integrations import integrations
from services.notices import standing_in
from services.notices.subscribers import Recipient
from services.people import teams
from tests.support.telling import tenant_tells
from tests.support.world import HOURLY, World, told_by

# What PostgreSQL does otherwise shows in the races, and in the drill of an outage.
pytestmark = pytest.mark.parametrize("world", ["sqlite"], indirect=True)

Channel = tuple[str, scripted.Store]


@pytest.fixture
def chat(world: World) -> Channel:
    return world.channel("chat")


@pytest.fixture
def ops(world: World) -> Channel:
    """The tenant's default."""
    fqn, store = world.channel("ops")
    tenant_tells(world, told_by(fqn, to=["ops"]))
    return fqn, store


def account_told_by(world: World, *targets: dict[str, Any], name: str = "ci-bot") -> None:
    world.create(name, auto_rotate=HOURLY, notification_targets=list(targets))


def turn(world: World) -> None:
    world.clock.pass_(hours=1)
    world.rotate()


def pass_(world: World, minutes: int) -> None:
    """Time goes by, and what is due is done every few minutes."""
    whole, rest = divmod(minutes, 5)
    for step in (*[5] * whole, *[1] * rest):
        world.clock.pass_(minutes=step)
        world.drain()
        standing_in.pass_on_due(world.runtime)
    world.drain()


def kill(world: World, channel: Channel) -> None:
    """It does not answer any more, and its breaker has opened."""
    fqn, store = channel
    store.always = Transient("503 away")
    for _ in range(20):
        world.drain()
        if world.lane(fqn).dead_since is not None:
            return
        world.clock.pass_(minutes=2)
    raise AssertionError("there was nothing that it could not tell")


def heard(store: scripted.Store) -> list[str]:
    """The accounts and events that a channel told, in its order."""
    told = [notice for notice, _ in store.notices]
    told += [notice for digest, _ in store.digests for notice in digest.notices]
    return [f"{notice.facts['account']} {notice.type.value}" for notice in told]


def only(store: scripted.Store) -> Notice:
    ((notice, _),) = store.notices
    return notice


def test_after_a_while_the_tenants_target_hears_it_and_from_whom_it_was_kept(
    world: World, chat: Channel, ops: Channel
):
    account_told_by(world, told_by(chat[0], to=["team"]))
    turn(world)
    kill(world, chat)
    dead_since = world.lane(chat[0]).dead_since

    pass_(world, 29)
    early = heard(ops[1])
    pass_(world, 3)

    assert early == []
    notice = only(ops[1])
    assert notice.facts["account"] == "ci-bot"
    assert figures(notice)[:3] == [
        ("Told here instead of", f"{chat[0]} (team)"),
        ("Not reached since", f"{dead_since:%Y-%m-%d %H:%M} UTC"),
        ("Why not", "503 away"),
    ]


def test_the_channel_tells_it_too_once_it_is_back_and_each_hears_it_once(
    world: World, chat: Channel, ops: Channel
):
    account_told_by(world, told_by(chat[0], to=["team"]))
    turn(world)
    kill(world, chat)
    pass_(world, 60)

    chat[1].always = None
    pass_(world, 60)

    assert heard(chat[1]) == heard(ops[1]) == ["ci-bot token.rotated"]
    assert world.lane(chat[0]).dead_since is None
    assert {row.state for row in world.deliveries()} == {DeliveryState.DONE}


def test_a_paused_channel_is_dead_too(world: World, chat: Channel, ops: Channel):
    account_told_by(world, told_by(chat[0]))
    integrations.pause_lane(world.runtime, world.admin, world.lane(chat[0]).id)
    turn(world)

    pass_(world, 31)
    integrations.resume_lane(world.runtime, world.admin, world.lane(chat[0]).id)

    assert only(ops[1]).facts["instead_because"] == "paused by tester"
    assert world.lane(chat[0]).dead_since is None


def test_what_comes_to_a_channel_that_is_dead_for_long_is_passed_on_within_a_minute(
    world: World, chat: Channel, ops: Channel
):
    account_told_by(world, told_by(chat[0]))
    turn(world)
    kill(world, chat)
    pass_(world, 40)

    turn(world)
    pass_(world, 2)

    assert heard(ops[1]) == ["ci-bot token.rotated"] * 2


def test_who_is_told_anyway_is_not_told_again(world: World, chat: Channel, ops: Channel):
    fqn, store = world.channel("other")
    account_told_by(world, told_by(chat[0]), told_by(fqn))
    turn(world)
    kill(world, chat)

    pass_(world, 60)

    assert heard(store) == ["ci-bot token.rotated"]
    assert "instead_of" not in only(store).facts
    assert heard(ops[1]) == []


def test_who_chose_such_notices_comes_before_the_next_one_of_the_list(
    world: World, chat: Channel, ops: Channel
):
    fqn, store = world.channel("pager")
    account_told_by(world, told_by(chat[0]), told_by(fqn, minimum_severity="critical"))
    turn(world)
    kill(world, chat)

    pass_(world, 40)

    assert (heard(store), heard(ops[1])) == ([], ["ci-bot token.rotated"])


def test_if_nobody_did_the_next_one_of_the_list_is_told_all_the_same(world: World, chat: Channel):
    (first, before), (last, after) = (world.channel(name) for name in ("first", "last"))
    choosy = {"minimum_severity": "critical"}
    account_told_by(world, told_by(first, **choosy), told_by(chat[0]), told_by(last, **choosy))
    turn(world)
    kill(world, chat)

    pass_(world, 40)

    assert (heard(before), heard(after)) == ([], ["ci-bot token.rotated"])


def test_a_stand_in_that_is_dead_itself_is_passed_over(world: World, chat: Channel, ops: Channel):
    fqn, store = world.channel("next")
    account_told_by(world, told_by(chat[0]), told_by(fqn, events=["token.revoked"]))
    account_told_by(world, told_by(fqn), name="other")
    store.always = Transient("503 away")
    turn(world)
    kill(world, chat)
    kill(world, (fqn, store))

    pass_(world, 60)

    assert sorted(heard(ops[1])) == ["ci-bot token.rotated", "other token.rotated"]


def test_if_nobody_can_be_reached_it_waits_and_goes_to_whoever_is_back_first(
    world: World, chat: Channel, ops: Channel
):
    account_told_by(world, told_by(chat[0]))
    account_told_by(world, name="other")
    world.put("other", auto_rotate=HOURLY)
    ops[1].always = Transient("503 away")
    turn(world)
    kill(world, chat)
    kill(world, ops)
    pass_(world, 120)
    states = {row.state for row in world.deliveries()}

    ops[1].always = None
    pass_(world, 40)

    assert states == {DeliveryState.PENDING}
    assert sorted(heard(ops[1])) == ["ci-bot token.rotated", "other token.rotated"]


def test_a_stand_in_that_dies_with_it_has_one_of_its_own(world: World, chat: Channel, ops: Channel):
    fqn, store = world.channel("next")
    account_told_by(world, told_by(chat[0]), told_by(fqn, events=["token.revoked"]))
    ops[1].always = Transient("503 away")
    turn(world)
    kill(world, chat)
    pass_(world, 100)

    assert only(store).facts["instead_of"] == f"{ops[0]} (ops)"


def test_a_recipient_that_is_refused_is_stood_in_for_at_once(
    world: World, chat: Channel, ops: Channel
):
    account_told_by(world, told_by(chat[0], to=["gone"]))
    chat[1].at_path["gone"] = PlaceRefused("550 no such mailbox")

    turn(world)
    world.drain()

    notice = only(ops[1])
    assert notice.facts["instead_of"] == f"{chat[0]} (gone)"
    assert notice.facts["instead_because"] == "550 no such mailbox"
    assert ("Not reached since", "") not in figures(notice)
    assert world.lane(chat[0]).dead_since is None


def test_of_two_who_are_refused_each_fact_is_told_once_by_the_stand_in(
    world: World, chat: Channel, ops: Channel
):
    account_told_by(world, told_by(chat[0], to=["gone", "left"]))
    chat[1].at_path |= {"gone": PlaceRefused("550"), "left": PlaceRefused("551")}

    turn(world)
    world.drain()

    assert heard(ops[1]) == ["ci-bot token.rotated"]


def test_a_critical_notice_is_passed_on_like_the_others_and_goes_at_once(
    world: World, chat: Channel, ops: Channel
):
    target = Recipient(world.tenant_id, chat_lane(world, chat), "team")
    account_told_by(world, told_by(chat[0], to=["team"]))
    kill_by(world, chat, target)
    world.runtime.change(
        lambda _, outbox: outbox.tell(
            world.tenant_id,
            EventType.ROTATION_FAILED,
            facts={"account": "ci-bot", "error": "x"},
            targets=[target],
        )
    )

    pass_(world, 31)

    assert "ci-bot rotation.failed" in heard(ops[1])


def chat_lane(world: World, chat: Channel) -> Any:
    account_told_by(world, told_by(chat[0], to=["team"]), name="first")
    return world.lane(chat[0]).id


def kill_by(world: World, chat: Channel, target: Recipient) -> None:
    world.runtime.change(
        lambda _, outbox: outbox.tell(
            world.tenant_id,
            EventType.TOKEN_ROTATED,
            facts={"account": "first"},
            targets=[target],
        )
    )
    kill(world, chat)


def test_what_concerns_one_person_alone_is_told_to_nobody_else(
    world: World, chat: Channel, ops: Channel
):
    target = Recipient(world.tenant_id, chat_lane(world, chat), "eve")
    kill_by(world, chat, target)
    world.runtime.change(
        lambda _, outbox: outbox.tell(
            world.tenant_id,
            EventType.PERSONAL_TOKEN_EXPIRING,
            facts={"account": "eve", "expires_at": "2036-01-01T00:00:00Z"},
            targets=[target],
        )
    )

    pass_(world, 40)

    assert heard(ops[1]) == ["first token.rotated"]
    assert EventType.USER_INVITED in PERSONAL


def test_refusals_of_the_whole_channel_count_from_its_pause_on(
    world: World, chat: Channel, ops: Channel
):
    account_told_by(world, told_by(chat[0]))
    chat[1].always = DestinationRefused("401 token revoked")
    turn(world)

    pass_(world, 60)

    told = [notice for notice, _ in ops[1].notices]
    assert world.lane(chat[0]).state is LaneState.PAUSED
    assert [notice.type.value for notice in told] == ["lane.paused", "token.rotated"]
    assert told[1].facts["instead_because"] == "401 token revoked"


def test_nothing_is_looked_at_while_no_channel_is_dead(world: World, chat: Channel, ops: Channel):
    account_told_by(world, told_by(chat[0]))
    turn(world)

    assert standing_in.pass_on_due(world.runtime) == 0
    assert world.deliveries(Delivery.passed_on) == []


def test_many_are_passed_on_page_by_page(
    world: World, chat: Channel, ops: Channel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(standing_in, "BATCH", 3)
    for number in range(8):
        account_told_by(world, told_by(chat[0]), name=f"bot-{number}")
    turn(world)
    kill(world, chat)

    pass_(world, 40)

    assert len(heard(ops[1])) == 8


def test_where_nobody_is_to_be_told_nobody_stands_in(world: World, chat: Channel, ops: Channel):
    given = {"name": "quiet", "members": [], "notification_targets": []}
    teams.put_team(world.runtime, world.admin, given)
    target = told_by(chat[0])
    world.create(
        "of-quiet-team",
        auto_rotate=HOURLY,
        ownedBy={"team": "quiet"},
        notification_targets=[target],
    )
    account_told_by(world, target, name="silenced")
    turn(world)
    world.put("silenced", auto_rotate=HOURLY, notification_targets=[])
    kill(world, chat)

    pass_(world, 60)

    assert heard(ops[1]) == []


def test_while_everybody_is_dead_nothing_is_gone_through(
    world: World, chat: Channel, monkeypatch: pytest.MonkeyPatch
):
    account_told_by(world, told_by(chat[0]))
    turn(world)
    kill(world, chat)
    monkeypatch.delattr(standing_in, "_page")

    pass_(world, 60)

    assert {row.state for row in world.deliveries()} == {DeliveryState.PENDING}
