from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.policy import Policy, check_schedule, check_timezone

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOT_A_SCHEDULE = (
    "auto_rotate.schedule: give a cron expression of five fields that fires, like '0 3 * * MON'"
)
NOT_A_ZONE = "auto_rotate.timezone: give an IANA time zone like Europe/Berlin"


def shortest_gap(schedule: str, zone: str = "UTC") -> timedelta:
    policy = Policy(
        schedule=schedule, timezone=zone, grace=timedelta(minutes=1), max_hold=timedelta(hours=1)
    )
    return policy.shortest_gap(NOW)


def test_the_shortest_gap_of_an_interval_is_the_interval():
    policy = Policy(
        interval=timedelta(days=90), grace=timedelta(days=1), max_hold=timedelta(days=7)
    )

    assert policy.shortest_gap(NOW) == timedelta(days=90)


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("*/15 * * * *", timedelta(minutes=15)),
        ("0 3 * * *", timedelta(days=1)),
        ("0 3,4 * * *", timedelta(hours=1)),
        ("0 3 * * MON", timedelta(days=7)),
        ("0 3 * * MON,TUE", timedelta(days=1)),
        ("0 0 1 * *", timedelta(days=28)),
        ("0 0 1,2 * *", timedelta(days=1)),
        ("0 0 1 1,7 *", timedelta(days=181)),
        ("0 0 31 12 *", timedelta(days=365)),
        ("0 0 29 2 *", timedelta(days=1461)),
    ],
)
def test_the_shortest_gap_of_a_schedule_is_found_among_its_next_firings(
    schedule: str, gap: timedelta
):
    assert shortest_gap(schedule) == gap


@pytest.mark.parametrize(
    ("schedule", "zone", "gap"),
    [
        ("0 3 * * MON", "Europe/Berlin", timedelta(days=7, hours=-1)),
        ("30 2 * * *", "Europe/Berlin", timedelta(hours=23, minutes=30)),
        ("30 1 * * *", "America/New_York", timedelta(hours=23)),
        ("0 3 * * *", "Asia/Kathmandu", timedelta(days=1)),
    ],
)
def test_a_gap_over_which_the_clocks_go_forward_is_shorter(
    schedule: str, zone: str, gap: timedelta
):
    assert shortest_gap(schedule, zone) == gap


@pytest.mark.parametrize(
    "schedule",
    ["0 3 * * MON", "*/5 * * * *", "0 0 29 2 *", "0 0 L * *", "0 9 * * MON#2", "0 0 * * 7"],
)
def test_a_schedule_that_fires_is_accepted(schedule: str):
    check_schedule(schedule, "Europe/Berlin", NOW)


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "weekly",
        "@daily",
        "0 3 * *",
        "0 3 * * MON 2026",
        "*/10 * * * * *",
        "61 * * * *",
        "0 25 * * *",
        "0 0 32 * *",
        "0 0 30 2 *",
        "0 0 * 13 *",
        "0 0 * * MOON",
        "0-9999999999999999999999 * * * *",
        "\ud800 * * * *",
    ],
)
def test_a_schedule_that_never_fires_is_refused_with_an_example(schedule: str):
    with pytest.raises(InvalidInput) as refused:
        check_schedule(schedule, "UTC", NOW)

    assert str(refused.value) == NOT_A_SCHEDULE


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Etc/GMT+5"])
def test_a_time_zone_of_the_database_is_accepted(zone: str):
    assert check_timezone(zone).key == zone


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Berlin",
        "CET+1",
        "Europe",
        "America/Argentina",
        "/etc/localtime",
        "../UTC",
        "Europe/Berlin\n",
        "UTC\0",
        "\ud800",
        "x" * 300,
    ],
)
def test_another_time_zone_is_refused_with_an_example(zone: str):
    with pytest.raises(InvalidInput) as refused:
        check_schedule("0 3 * * *", zone, NOW)

    assert str(refused.value) == NOT_A_ZONE


@pytest.mark.law(9)
@given(st.text())
def test_any_text_is_refused_without_being_quoted(schedule: str):
    with pytest.raises(InvalidInput) as refused:
        check_schedule(schedule, "UTC", NOW)

    assert str(refused.value) == NOT_A_SCHEDULE


@pytest.mark.law(9)
@given(st.text())
def test_any_text_is_no_time_zone_and_is_not_quoted(zone: str):
    with pytest.raises(InvalidInput) as refused:
        check_timezone(zone)

    assert str(refused.value) == NOT_A_ZONE
