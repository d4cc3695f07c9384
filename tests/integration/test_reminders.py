"""Reminders come once, in time or late but true, and of what still lies ahead."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from keyturn_test_plugins import scripted
from sqlalchemy import update

from core.errors import InvalidInput, Transient
from models import DeliveryState, Integration, PersonalAccessToken, User, VirtualAccount
from services.accounts import account_life
from services.engine import tokens
from services.notices import reminding
from services.operation import tenants
from services.people import personal_tokens
from services.people.personal_tokens import Wanted
from tests.support.mail_double import MailDouble
from tests.support.telling import mail_of
from tests.support.world import HOURLY, World, told_by

QUARTERLY = {"interval": "90d", "grace": "7d"}
DAY = timedelta(days=1)


@pytest.fixture
def chat(world: World) -> tuple[str, scripted.Store]:
    return world.channel()


def look(world: World) -> int:
    """What the sweep does, as often as it takes."""
    due = 0
    while found := reminding.remind_due(world.runtime):
        due += found
    world.drain()
    return due


def reminded(store: scripted.Store) -> list[tuple[str, str]]:
    return [
        (notice.type.value, notice.facts["remaining"])
        for notice, _ in store.notices
        if "remaining" in notice.facts
    ]


def pass_daily(world: World, days: int, then: Callable[[World], object] = look) -> None:
    for _ in range(days):
        world.clock.pass_(days=1)
        then(world)


@pytest.mark.law(8)
def test_a_rotation_is_told_a_week_and_a_day_before_and_again_before_the_next(
    world: World, chat: tuple[str, scripted.Store]
):
    world.create(auto_rotate=QUARTERLY, notification_target=told_by(chat[0]))

    def pass_day(world: World) -> None:
        world.rotate()
        look(world)

    pass_daily(world, 179, pass_day)

    expected = [("rotation.upcoming", "7 days"), ("rotation.upcoming", "1 day")]
    assert reminded(chat[1]) == expected * 2
    first = chat[1].notices[0][0]
    assert first.facts["next_rotation_at"] == "2026-05-31T09:00:00Z"
    assert first.facts["grace_until"] == "2026-06-07T09:00:00Z"


def test_offsets_longer_than_the_interval_are_skipped(
    world: World, chat: tuple[str, scripted.Store]
):
    for name, interval in (("hourly", "1h"), ("daily", "1d"), ("weekly", "7d")):
        policy = {"interval": interval, "grace": "10m"}
        world.create(name, auto_rotate=policy, notification_target=told_by(chat[0]))

    due = {row.name: row.remind_at for row in world.rows(VirtualAccount)}

    assert due["hourly"] is due["daily"] is None
    assert due["weekly"] == world.clock.now() + 6 * DAY


def test_an_account_says_how_long_before(world: World, chat: tuple[str, scripted.Store]):
    policy = {**HOURLY, "notify_before": ["15m", "PT5M", "2h"]}
    world.create(auto_rotate=policy, notification_target=told_by(chat[0]))
    world.create(
        "never",
        auto_rotate={**QUARTERLY, "notify_before": []},
        notification_target=told_by(chat[0]),
    )

    for _ in range(59):
        world.clock.pass_(minutes=1)
        look(world)

    assert reminded(chat[1]) == [
        ("rotation.upcoming", "15 minutes"),
        ("rotation.upcoming", "5 minutes"),
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"notify_before": ["soon"]}, "auto_rotate.notify_before.0"),
        ({"notify_before": ["0s"]}, "auto_rotate.notify_before.0"),
        ({"notify_before": ["1d"] * 11}, "auto_rotate.notify_before"),
        ({"notify_before": "1d"}, "auto_rotate.notify_before"),
    ],
)
def test_an_offset_that_is_none_is_refused(world: World, given: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        world.put(auto_rotate={**HOURLY, **given})

    assert refused.value.field == field


@pytest.mark.law(8)
def test_what_an_outage_swallowed_is_told_once_with_the_time_that_is_left(
    world: World, chat: tuple[str, scripted.Store]
):
    world.create(auto_rotate=QUARTERLY, notification_target=told_by(chat[0]))

    world.clock.pass_(days=89, hours=5)
    look(world)
    look(world)

    assert reminded(chat[1]) == [("rotation.upcoming", "19 hours")]


@pytest.mark.law(8)
def test_what_has_come_meanwhile_is_told_by_nobody_any_more(
    world: World, chat: tuple[str, scripted.Store]
):
    account, _ = world.create(auto_rotate=QUARTERLY, notification_target=told_by(chat[0]))

    world.clock.pass_(days=90)
    due = look(world)

    assert (due, reminded(chat[1])) == (1, [])
    assert world.fresh(account).remind_at is None


def test_a_rotation_that_comes_first_does_not_swallow_what_is_due_of_the_end(
    world: World, chat: tuple[str, scripted.Store]
):
    world.create(
        auto_rotate={"interval": "20d", "grace": "1d"},
        expiration_date="2026-04-05",
        notification_target=told_by(chat[0]),
    )

    world.clock.pass_(days=21)
    world.rotate()
    look(world)

    assert reminded(chat[1]) == [("account.expiring", "13 days 15 hours")]


def test_two_who_look_at_the_same_time_tell_once(world: World, chat: tuple[str, scripted.Store]):
    account, _ = world.create(auto_rotate=QUARTERLY, notification_target=told_by(chat[0]))
    world.clock.pass_(days=83)

    counted = [reminding.remind_due(world.runtime) for _ in range(2)]

    assert counted == [1, 0]
    assert len(world.told("rotation.upcoming")) == 1
    assert world.fresh(account).remind_at == world.clock.now() + 6 * DAY


def test_nothing_that_is_not_due_is_looked_at(world: World):
    world.create(auto_rotate=QUARTERLY)

    assert look(world) == 0


def test_a_paused_account_is_not_reminded_of_rotations_and_again_once_it_goes_on(
    world: World, chat: tuple[str, scripted.Store]
):
    account, _ = world.create(auto_rotate=QUARTERLY, notification_target=told_by(chat[0]))
    account_life.pause_account(world.runtime, world.admin, account.id)
    pass_daily(world, 85)
    paused = reminded(chat[1])

    account_life.resume_account(world.runtime, world.admin, account.id)
    pass_daily(world, 4)

    assert paused == []
    assert reminded(chat[1]) == [("rotation.upcoming", "1 day")]


def test_a_rotation_by_hand_moves_the_reminder_along(
    world: World, chat: tuple[str, scripted.Store]
):
    account, _ = world.create(auto_rotate=QUARTERLY, notification_target=told_by(chat[0]))
    pass_daily(world, 80)

    tokens.rotate_account(world.runtime, world.admin, account.id)
    pass_daily(world, 80)

    assert reminded(chat[1]) == []
    assert world.fresh(account).remind_at == world.clock.now() + 3 * DAY


def test_a_policy_that_changes_while_a_reminder_is_due_loses_it_not(
    world: World, chat: tuple[str, scripted.Store]
):
    given = {"expiration_date": "2026-05-01", "notification_target": told_by(chat[0])}
    world.create(auto_rotate=QUARTERLY, **given)
    world.clock.pass_(days=31)

    world.put(auto_rotate={**QUARTERLY, "grace": "8d"}, **given)
    look(world)

    assert reminded(chat[1]) == [("account.expiring", "29 days 15 hours")]


def test_an_end_is_told_four_times_and_the_last_ones_are_warnings(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    world.create(
        expiration_date="2026-06-30",
        notification_targets=[
            told_by(fqn, to=["all"]),
            told_by(fqn, to=["warned"], minimum_severity="warning"),
        ],
    )

    pass_daily(world, 121)
    world.expire()
    world.drain()

    told = [
        (address, notice.facts.get("remaining"), notice.severity.name)
        for notice, address in store.notices
        if notice.type.value == "account.expiring"
    ]
    assert [one for one in told if one[0] == "all"] == [
        ("all", "59 days 15 hours", "INFO"),
        ("all", "29 days 15 hours", "INFO"),
        ("all", "6 days 15 hours", "WARNING"),
        ("all", "15 hours", "WARNING"),
    ]
    assert [one for one in told if one[0] == "warned"] == [
        ("warned", "6 days 15 hours", "WARNING"),
        ("warned", "15 hours", "WARNING"),
    ]


def test_an_end_that_is_moved_after_the_warning_is_told_to_those_who_were_warned(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    given = {
        "notification_targets": [
            told_by(fqn, to=["warned"], minimum_severity="warning"),
            told_by(fqn, to=["critical"], minimum_severity="critical"),
        ]
    }
    account, _ = world.create(expiration_date="2026-03-31", **given)
    world.put(expiration_date="2026-04-10", **given)
    pass_daily(world, 33)

    world.put(expiration_date="2027-04-10", **given)
    world.drain()

    assert [(notice.type.value, address) for notice, address in store.notices] == [
        ("account.expiring", "warned"),
        ("account.extended", "warned"),
    ]
    assert world.fresh(account).remind_at == datetime(2027, 2, 10, tzinfo=UTC)


def test_a_reminder_that_its_channel_took_too_late_is_dropped(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = chat
    policy = {**HOURLY, "notify_before": ["30m"]}
    world.create(auto_rotate=policy, notification_target=told_by(fqn))
    store.always = Transient("down")
    world.clock.pass_(minutes=30)
    look(world)
    first = [row.state for row in world.deliveries()]
    world.create("other", auto_rotate=policy, notification_target=told_by(fqn))
    world.clock.pass_(minutes=30)
    reminding.remind_due(world.runtime)
    world.clock.pass_(minutes=30)

    store.always = None
    world.drain()

    told = {
        (row.state, row.digest_id is not None) for row in world.deliveries() if row.address == ""
    }
    assert first == [DeliveryState.PENDING]  # it was begun: it is sent as it was
    assert (DeliveryState.DONE, True) in told
    assert (DeliveryState.SUPERSEDED, False) in told


@pytest.fixture
def mail(world: World) -> Iterator[MailDouble]:
    with mail_of(world) as double:
        yield double


def personal(world: World, day: str, name: str = "laptop") -> PersonalAccessToken:
    wanted = Wanted(name=name, expiration_date=day)
    personal_tokens.create_for(world.runtime, world.admin, "admin@example.com", wanted)
    (row,) = world.rows(PersonalAccessToken, PersonalAccessToken.name == name)
    return row


def look_at_people(world: World) -> None:
    while reminding.remind_owners_due(world.runtime):
        pass
    world.drain()


def test_the_owner_of_a_personal_token_hears_by_mail_that_it_ends(world: World, mail: MailDouble):
    personal(world, "2026-04-01")

    pass_daily(world, 40, look_at_people)

    assert [(m.recipients, str(m.message["Subject"])) for m in mail.messages] == [
        (
            ["admin@example.com"],
            "Your personal access token laptop ends at 2026-04-02 00:00 UTC, in 6 days 15 hours",
        ),
        (
            ["admin@example.com"],
            "Your personal access token laptop ends at 2026-04-02 00:00 UTC, in 15 hours",
        ),
    ]


def test_a_short_life_is_not_announced_by_offsets_that_are_longer(world: World, mail: MailDouble):
    row = personal(world, "2026-03-05")

    assert row.remind_at == datetime(2026, 3, 5, tzinfo=UTC)


def test_a_token_that_is_revoked_or_whose_owner_is_away_reminds_nobody(
    world: World, mail: MailDouble
):
    personal_tokens.revoke(world.runtime, world.admin, str(personal(world, "2026-04-01").id))
    personal(world, "2026-04-01", "other")
    world.runtime.database.write(lambda session: session.execute(update(User).values(active=False)))

    pass_daily(world, 40, look_at_people)

    assert mail.messages == []
    assert world.told("personal-access-token.expiring") == []


def test_tokens_that_are_shortened_are_announced_by_their_new_end(world: World, mail: MailDouble):
    personal(world, "2027-03-01")

    tenants.set_limits(
        world.runtime, world.admin, {"pat_longest_life": timedelta(days=30)}, shorten=True
    )

    (row,) = world.rows(PersonalAccessToken)
    assert row.remind_at == world.clock.now() + 23 * DAY


def test_without_a_mail_channel_the_event_is_kept_and_nobody_is_told(world: World):
    personal(world, "2026-04-01")

    pass_daily(world, 40, look_at_people)

    assert len(world.told("personal-access-token.expiring")) == 2
    assert world.deliveries() == []


def test_a_mail_channel_that_cannot_be_used_stops_nobody_else(world: World, mail: MailDouble):
    personal(world, "2026-04-01")
    world.runtime.opened.close()
    world.runtime.database.write(
        lambda session: session.execute(update(Integration).values(sealed=b"", version=9))
    )

    pass_daily(world, 40, look_at_people)

    assert len(world.told("personal-access-token.expiring")) == 2
