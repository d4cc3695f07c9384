from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.policy import Policy

ACCOUNT = UUID("01a2098a-07c4-7e82-8e5d-95a3c35dbaa4")
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SCHEDULES = [
    "* * * * *",
    "*/15 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "45 1 * * *",
    "15 2 * * *",
    "30 1-3 * * *",
    "0 3 * * MON",
    "0 0 1 * *",
    "0 0 L * *",
]

accounts = st.uuids()
moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
intervals = st.timedeltas(timedelta(seconds=1), timedelta(days=400))
outages = st.timedeltas(timedelta(0), timedelta(days=1))
spreads = st.timedeltas(timedelta(seconds=1), timedelta(days=7))
# When the clocks of these zones change in 2026.
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
]


def every(interval: timedelta, spread: timedelta = timedelta(0)) -> Policy:
    return Policy(
        interval=interval, spread=spread, grace=timedelta(minutes=10), max_hold=timedelta(hours=2)
    )


def cron(schedule: str, zone: str = "UTC", spread: timedelta = timedelta(0)) -> Policy:
    return Policy(
        schedule=schedule,
        timezone=zone,
        spread=spread,
        grace=timedelta(minutes=10),
        max_hold=timedelta(hours=2),
    )


@st.composite
def looks(draw: st.DrawFn) -> tuple[Policy, datetime]:
    """A schedule, and a moment at which somebody looks at it: often when the clocks change."""
    schedule = draw(st.sampled_from(SCHEDULES))
    zone, change = draw(st.sampled_from(CHANGES))
    near = st.timedeltas(timedelta(hours=-2), timedelta(hours=2)).map(lambda away: change + away)
    return cron(schedule, zone), draw(near | moments)


@given(intervals, moments, moments)
def test_an_interval_is_next_due_after_now_and_after_the_last_due_moment(
    interval: timedelta, previous: datetime, now: datetime
):
    due = every(interval).next_due(ACCOUNT, previous=previous, now=now)

    assert due > max(previous, now)


@given(looks(), st.timedeltas(timedelta(days=-3), timedelta(days=3)))
def test_a_schedule_is_next_due_after_now_and_after_the_last_due_moment(
    look: tuple[Policy, datetime], away: timedelta
):
    policy, now = look
    previous = now + away

    due = policy.next_due(ACCOUNT, previous=previous, now=now)

    assert due > max(previous, now)


@given(intervals, moments, outages)
def test_an_interval_stays_on_the_lattice_of_its_due_moments(
    interval: timedelta, previous: datetime, outage: timedelta
):
    due = every(interval).next_due(ACCOUNT, previous=previous, now=previous + outage)

    assert (due - previous) % interval == timedelta(0)


@given(intervals, moments, outages)
def test_after_any_outage_an_interval_is_due_once_and_within_one_interval(
    interval: timedelta, previous: datetime, outage: timedelta
):
    now = previous + outage

    due = every(interval).next_due(ACCOUNT, previous=previous, now=now)

    assert due - interval <= now < due


@given(looks(), outages)
def test_after_any_outage_a_schedule_goes_on_with_the_firing_it_would_have_had(
    look: tuple[Policy, datetime], outage: timedelta
):
    policy, now = look
    start = now - outage
    first = policy.first_due(ACCOUNT, reckoned_from=start, now=start)
    assume(first <= now)

    due = policy.next_due(ACCOUNT, previous=first, now=now)

    *missed, last = policy.due_moments(ACCOUNT, first, due)
    assert last == due
    assert max(missed) <= now


@given(looks())
def test_a_schedule_answers_the_same_at_every_moment_up_to_its_firing(
    look: tuple[Policy, datetime],
):
    policy, now = look

    due = policy.next_due(ACCOUNT, previous=now, now=now)
    between = now + (due - now) / 2

    assert policy.next_due(ACCOUNT, previous=now, now=between) == due


@given(looks())
def test_a_schedules_first_moment_is_after_now(look: tuple[Policy, datetime]):
    policy, now = look

    due = policy.first_due(ACCOUNT, reckoned_from=START, now=now)

    assert due > now
    assert due.tzinfo is UTC


@given(intervals, moments, moments)
def test_an_intervals_first_moment_reckons_from_the_last_rotation_but_is_never_before_now(
    interval: timedelta, rotated: datetime, now: datetime
):
    due = every(interval).first_due(ACCOUNT, reckoned_from=rotated, now=now)

    assert due == max(rotated + interval, now)


def test_changing_the_policy_again_and_again_does_not_defer_the_rotation():
    policy = every(timedelta(hours=12))

    dues = {
        policy.first_due(ACCOUNT, reckoned_from=START, now=START + timedelta(hours=hours))
        for hours in range(12)
    }

    assert dues == {START + timedelta(hours=12)}


def test_days_are_24_hours_whatever_the_clocks_do():
    policy = every(timedelta(days=90))

    due = policy.next_due(ACCOUNT, previous=START, now=START + timedelta(days=100))

    assert due == START + timedelta(days=180)


def test_a_moment_that_is_due_exactly_now_is_over():
    policy = every(timedelta(hours=1))

    assert policy.next_due(ACCOUNT, previous=START, now=START + timedelta(hours=1)) == (
        START + timedelta(hours=2)
    )


def test_a_firing_exactly_now_is_over():
    now = datetime(2026, 3, 2, 3, tzinfo=UTC)

    due = cron("0 3 * * *").next_due(ACCOUNT, previous=now, now=now)

    assert due == datetime(2026, 3, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "schedule", "noon_before", "dues"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-03-27", ["28 01:30", "29 01:00", "30 00:30"]),
        ("Europe/Berlin", "30 2 * * *", "2026-10-23", ["24 00:30", "25 00:30", "26 01:30"]),
        ("America/New_York", "30 2 * * *", "2026-03-06", ["07 07:30", "08 07:00", "09 06:30"]),
        ("America/New_York", "30 1 * * *", "2026-10-30", ["31 05:30", "01 05:30", "02 06:30"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-02", ["02 15:45", "03 15:30", "04 15:15"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-03", ["03 14:45", "04 14:45", "05 15:15"]),
    ],
)
def test_a_daily_schedule_fires_once_on_the_day_the_clocks_change(
    zone: str, schedule: str, noon_before: str, dues: list[str]
):
    policy = cron(schedule, zone)
    start = datetime.fromisoformat(noon_before + "T12:00+00:00")

    first = policy.first_due(ACCOUNT, reckoned_from=start, now=start)

    moments = policy.due_moments(ACCOUNT, first, start + timedelta(hours=70))
    assert [f"{due:%d %H:%M}" for due in moments] == dues


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 28, 22, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 13, tzinfo=UTC)),
    ],
)
def test_a_schedule_of_every_quarter_of_an_hour_does_not_notice_the_clocks_change(
    zone: str, start: datetime
):
    policy = cron("*/15 * * * *", zone)

    dues = policy.due_moments(ACCOUNT, start, start + timedelta(hours=5))

    assert list(dues) == [start + number * timedelta(minutes=15) for number in range(21)]


@pytest.mark.law(8)
@pytest.mark.parametrize(
    ("schedule", "zone", "now", "due"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00", "2026-10-26T01:30:00"),
        ("30 1 * * *", "America/New_York", "2026-11-01T06:10:00", "2026-11-02T06:30:00"),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T15:10:00", "2026-04-05T15:15:00"),
    ],
)
def test_whoever_looks_in_an_hour_that_repeats_does_not_rotate_for_the_same_firing_again(
    schedule: str, zone: str, now: str, due: str
):
    late = datetime.fromisoformat(now + "+00:00")
    policy = cron(schedule, zone)

    assert policy.next_due(ACCOUNT, previous=late, now=late).isoformat() == due + "+00:00"


def test_a_leap_days_schedule_fires_on_leap_days_alone():
    policy = cron("0 0 29 2 *")
    first = policy.first_due(ACCOUNT, reckoned_from=START, now=START)

    dues = policy.due_moments(ACCOUNT, first, datetime(2036, 12, 31, tzinfo=UTC))

    assert [f"{due:%Y-%m-%d}" for due in dues] == ["2028-02-29", "2032-02-29", "2036-02-29"]


def test_a_leap_days_schedule_leaves_out_a_century_without_one():
    last = datetime(2096, 2, 29, tzinfo=UTC)

    due = cron("0 0 29 2 *").next_due(ACCOUNT, previous=last, now=last)

    assert due == datetime(2104, 2, 29, tzinfo=UTC)


@given(accounts, intervals, spreads, moments)
def test_a_spread_interval_is_first_due_within_the_window_behind_its_moment(
    account: UUID, interval: timedelta, spread: timedelta, now: datetime
):
    due = every(interval, spread).first_due(account, reckoned_from=now, now=now)

    assert now + interval <= due <= now + interval + spread


@given(accounts, looks(), spreads)
def test_a_spread_schedule_is_due_after_now_and_within_the_window_behind_a_firing(
    account: UUID, look: tuple[Policy, datetime], spread: timedelta
):
    policy, now = look
    spread_out = cron(policy.schedule or "", policy.timezone, spread)

    due = spread_out.next_due(account, previous=now, now=now)

    opening = due - spread
    assert due > now
    assert policy.next_due(account, previous=opening, now=opening) <= due


@given(accounts, spreads)
def test_an_account_keeps_its_place_in_the_window_for_ever(account: UUID, spread: timedelta):
    policy = cron("0 3 * * *", spread=spread)
    day = timedelta(days=1)

    first = policy.first_due(account, reckoned_from=START, now=START)
    later = policy.first_due(account, reckoned_from=START, now=START + 30 * day)

    assert (later - first) % day == timedelta(0)


def test_accounts_are_spread_evenly_over_the_window():
    policy = every(timedelta(days=1), spread=timedelta(hours=10))
    dues = [
        policy.first_due(UUID(int=number), reckoned_from=START, now=START) for number in range(1000)
    ]

    hours = [(due - START - timedelta(days=1)) // timedelta(hours=1) for due in dues]

    assert set(hours) == set(range(10))
    assert max(hours.count(hour) for hour in range(10)) < 150


@given(accounts, intervals, moments)
def test_without_a_spread_all_accounts_are_due_at_the_same_moment(
    account: UUID, interval: timedelta, now: datetime
):
    due = every(interval).first_due(account, reckoned_from=now, now=now)

    assert due == now + interval
