"""PagerDuty: alerts that open with a problem and end with it, and changes that wake nobody."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.events import ENDS, SEVERITY, EventType, Severity
from notifiers.base import Notice
from notifiers.pagerduty import PagerDutyNotifier
from notifiers.pagerduty_events import dedup_key, events
from tests.support.lending import lent
from tests.support.pagerduty_double import PagerDutyDouble

PORTS = lent()
KEY = "CANARY".ljust(32, "0")
ALERTS_ONLY = "RCANARY".ljust(32, "0")
FACTS = {
    "account": "ci",
    "integration": "acme:hashicorp:main:secret-store:vault",
    "path": "prod/ci",
    "generation": 4,
    "cause": "written",
    "lane": "hashicorp/vault",
    "address": "",
    "error": "403 denied",
}


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyDouble]:
    with PagerDutyDouble() as double:
        double.keys |= {KEY, ALERTS_ONLY}
        yield double


def notifier(pagerduty: PagerDutyDouble, key: str = KEY, **changes: Any) -> PagerDutyNotifier:
    auth = {"integration_key": key, "integration_url": pagerduty.integration_url}
    return PagerDutyNotifier.model_validate({"auth_data": auth, **changes})


def notice(event: EventType, tenant: str = "acme", **facts: Any) -> Notice:
    """Each with a key of its own, as each event's notice has."""
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    link = "https://keyturn.example.com/accounts/1"
    return Notice(uuid4(), event, SEVERITY[event], at, tenant, {**FACTS, **facts}, link)


PROBLEMS_AND_ENDS = [
    (EventType.SYNC_FAILED, EventType.SYNC_RECOVERED),
    (EventType.LANE_PAUSED, EventType.LANE_RESUMED),
    (EventType.ROTATION_FAILED, EventType.TOKEN_ROTATED),
    (EventType.ROTATION_WAITING, EventType.TOKEN_ROTATED),
    (EventType.GRACE_HELD, EventType.TOKEN_EXPIRED),
    (EventType.SYNC_DRIFTED, EventType.SYNC_REPAIRED),
    (EventType.ACCOUNT_EXPIRED, EventType.ACCOUNT_EXTENDED),
]


@pytest.mark.parametrize(("problem", "end"), PROBLEMS_AND_ENDS)
def test_the_end_of_a_problem_resolves_its_alert(pagerduty, problem, end):
    made = notifier(pagerduty)

    made.send(notice(problem), "", PORTS)
    opened = len(pagerduty.open_alerts())
    made.send(notice(end, error=""), "", PORTS)

    assert (opened, pagerduty.open_alerts()) == (1, [])
    assert [event["event_action"] for event in pagerduty.alerts[0].events] == ["trigger", "resolve"]
    assert len(pagerduty.changes) == 1


@pytest.mark.parametrize(
    ("problem", "end", "other"),
    [
        (EventType.SYNC_FAILED, EventType.SYNC_RECOVERED, {"account": "other"}),
        (EventType.SYNC_FAILED, EventType.SYNC_RECOVERED, {"path": "other"}),
        (EventType.SYNC_FAILED, EventType.SYNC_RECOVERED, {"integration": "other"}),
        (EventType.SYNC_FAILED, EventType.SYNC_RECOVERED, {"cause": "removed"}),
        (EventType.SYNC_FAILED, EventType.SYNC_RECOVERED, {"tenant": "other"}),
        (EventType.LANE_PAUSED, EventType.LANE_RESUMED, {"integration": "other"}),
        (EventType.LANE_PAUSED, EventType.LANE_RESUMED, {"address": "C0001"}),
        (EventType.ROTATION_FAILED, EventType.TOKEN_ROTATED, {"account": "other"}),
        (EventType.GRACE_HELD, EventType.TOKEN_EXPIRED, {"generation": 5}),
        (EventType.HOLD_EXHAUSTED, EventType.TOKEN_EXPIRED, {}),
        (EventType.SYNC_DRIFTED, EventType.SYNC_RECOVERED, {}),
        (EventType.ACCOUNT_EXPIRED, EventType.TOKEN_ROTATED, {}),
    ],
)
def test_the_end_of_something_else_leaves_an_alert_open(pagerduty, problem, end, other):
    made = notifier(pagerduty)

    made.send(notice(problem), "", PORTS)
    made.send(notice(end, **other), "", PORTS)

    assert len(pagerduty.open_alerts()) == 1


@pytest.mark.parametrize(
    ("problem", "end"),
    [
        (EventType.GRACE_ENDING, EventType.TOKEN_EXPIRED),
        (EventType.ACCOUNT_EXPIRING, EventType.ACCOUNT_EXTENDED),
    ],
)
def test_what_is_a_problem_only_at_times_opens_an_alert_only_then(pagerduty, problem, end):
    made = notifier(pagerduty)

    made.send(notice(problem), "", PORTS)
    calm = len(pagerduty.alerts)
    made.send(replace(notice(problem), severity=Severity.WARNING), "", PORTS)
    opened = len(pagerduty.open_alerts())
    made.send(notice(end), "", PORTS)

    assert (calm, opened, pagerduty.open_alerts()) == (0, 1, [])


@pytest.mark.parametrize("end", sorted(ENDS))
def test_what_a_fact_ends_is_one_alert_so_that_two_calls_are_enough(end):
    assert len(events(notice(end))) == 2


def test_the_warning_about_a_token_that_is_revoked_ends(pagerduty):
    made = notifier(pagerduty)

    made.send(notice(EventType.GRACE_HELD), "", PORTS)
    made.send(notice(EventType.TOKEN_REVOKED, generations=[4]), "", PORTS)
    made.send(notice(EventType.GRACE_HELD, generation=5), "", PORTS)
    made.send(notice(EventType.TOKEN_REVOKED, generations=[5, 6]), "", PORTS)

    assert [alert.key.split("/")[1] for alert in pagerduty.open_alerts()] == [
        "revoked",
        "grace",
        "revoked",
    ]


def test_a_problem_that_is_told_again_is_the_same_alert_and_after_its_end_a_new_one(pagerduty):
    made = notifier(pagerduty)
    first, second = notice(EventType.SYNC_FAILED), notice(EventType.SYNC_FAILED, generation=5)

    for sent in (first, first, second, notice(EventType.SYNC_RECOVERED), second):
        made.send(sent, "", PORTS)

    assert [len(alert.events) for alert in pagerduty.alerts] == [4, 1]
    assert len({alert.key for alert in pagerduty.alerts}) == 1


def test_a_hold_that_is_exhausted_ends_the_grace_and_is_an_alert_of_its_own(pagerduty):
    made = notifier(pagerduty)

    made.send(notice(EventType.GRACE_HELD), "", PORTS)
    made.send(notice(EventType.HOLD_EXHAUSTED), "", PORTS)

    assert [alert.key.split("/")[1] for alert in pagerduty.alerts] == ["grace", "hold"]
    assert [alert.key.split("/")[1] for alert in pagerduty.open_alerts()] == ["hold"]


def test_a_repeat_after_a_lost_answer_changes_nothing(pagerduty):
    made, sent = notifier(pagerduty), notice(EventType.LANE_PAUSED)
    pagerduty.fault("POST *", lose_answer=True)

    with pytest.raises(Transient):
        made.send(sent, "", PORTS)
    made.send(sent, "", PORTS)

    assert len(pagerduty.alerts) == 1


def test_good_news_that_stops_half_way_is_told_whole_the_next_time(pagerduty):
    made, end = notifier(pagerduty), notice(EventType.SYNC_RECOVERED)
    made.send(notice(EventType.SYNC_FAILED), "", PORTS)
    pagerduty.fault("POST /v2/change/enqueue", status=503)

    with pytest.raises(Transient):
        made.send(end, "", PORTS)
    made.send(end, "", PORTS)

    assert pagerduty.open_alerts() == []
    assert [it["payload"]["custom_details"]["Notice"] for it in pagerduty.changes] == [str(end.key)]


def test_a_test_opens_an_alert_and_ends_it(pagerduty):
    answer = notifier(pagerduty).send(notice(EventType.CHANNEL_TESTED), "", PORTS)

    [alert] = pagerduty.alerts
    assert not alert.is_open
    assert alert.events[0]["payload"]["severity"] == "info"
    assert answer == "PagerDuty has accepted it (2 events)"


@pytest.mark.parametrize("event", sorted(set(EventType) - {EventType.CHANNEL_TESTED}))
def test_only_what_needs_a_human_makes_an_alert(pagerduty, event):
    notifier(pagerduty).send(notice(event), "", PORTS)

    is_problem = SEVERITY[event] is not Severity.INFO
    assert len(pagerduty.alerts) == is_problem
    assert len(pagerduty.changes) == (not is_problem)


def test_a_key_that_takes_alerts_only_gets_no_changes(pagerduty):
    made = notifier(pagerduty, ALERTS_ONLY)

    for event in (EventType.SYNC_FAILED, EventType.SYNC_RECOVERED, EventType.GRACE_ENDING):
        made.send(notice(event), "", PORTS)

    assert (len(pagerduty.alerts), pagerduty.open_alerts(), pagerduty.changes) == (1, [], [])


def test_an_alert_says_how_bad_it_is_where_and_what_to_do(pagerduty):
    sent = notice(EventType.LANE_PAUSED)

    notifier(pagerduty).send(sent, "", PORTS)

    (event,) = pagerduty.alerts[0].events
    details = event["payload"].pop("custom_details")
    assert event["payload"] == {
        "summary": "Sending to acme:hashicorp:main:secret-store:vault is paused: 403 denied",
        "source": "acme",
        "timestamp": "2026-03-02T09:00:00+00:00",
        "severity": "critical",
        "component": "ci",
        "group": "acme",
        "class": "lane.paused",
    }
    assert details["What to do"].startswith("Correct the credentials")
    assert details["Notice"] == str(sent.key)
    assert event["links"] == [{"href": sent.link, "text": "Open in Keyturn"}]
    assert (event["client"], event["client_url"]) == ("Keyturn", sent.link)


def test_a_warning_is_a_warning(pagerduty):
    notifier(pagerduty).send(notice(EventType.SYNC_DRIFTED), "", PORTS)

    assert pagerduty.alerts[0].events[0]["payload"]["severity"] == "warning"


@given(
    problem=st.sampled_from(sorted(EventType)),
    facts=st.dictionaries(st.sampled_from(sorted(FACTS)), st.none() | st.text(max_size=900)),
    tenant=st.text(max_size=900),
)
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_the_names_are_pagerduty_takes_the_event(pagerduty, problem, facts, tenant):
    sent = notice(problem, tenant, **facts)

    notifier(pagerduty).send(sent, "", PORTS)

    key = dedup_key(sent, problem)
    assert key.isascii()
    assert len(key) <= 255
    assert len(pagerduty.shown[-1]["payload"]["source"]) <= 200


def test_names_do_not_run_into_each_other_in_a_dedup_key():
    one = notice(EventType.SYNC_FAILED, account='a","b', path="c")
    other = notice(EventType.SYNC_FAILED, account="a", path='b","c')

    assert dedup_key(one, one.type) != dedup_key(other, other.type)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("Invalid routing key", DestinationRefused),
        ("Length of 'routing_key' is incorrect (should be 32 characters)", DestinationRefused),
        ("'payload.summary' is missing or blank", PlaceRefused),
        (f"what is {KEY}", PlaceRefused),
    ],
)
def test_what_pagerduty_finds_wrong_is_quoted_without_the_key(pagerduty, error, raised):
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": [error]}
    pagerduty.fault("POST *", status=400, body=body)

    with pytest.raises(raised) as found:
        notifier(pagerduty).send(notice(EventType.SYNC_FAILED), "", PORTS)

    assert type(found.value) is raised
    assert error.replace(KEY, "***") in str(found.value)


@pytest.mark.parametrize(
    ("status", "body"), [(200, "ok"), (202, "<html>"), (202, {"status": "no"}), (202, [])]
)
def test_an_answer_that_pagerduty_does_not_give_is_no_success(pagerduty, status, body):
    pagerduty.fault("POST *", status=status, body=body)

    with pytest.raises(DestinationRefused, match=str(status)):
        notifier(pagerduty).send(notice(EventType.SYNC_FAILED), "", PORTS)


def test_a_check_tries_the_key_and_tells_nobody(pagerduty):
    assert notifier(pagerduty).check(PORTS) == "PagerDuty takes this integration key"
    with pytest.raises(DestinationRefused, match="integration key"):
        notifier(pagerduty, KEY.replace("0", "1")).check(PORTS)

    assert (pagerduty.alerts, pagerduty.shown) == ([], [])


def test_a_send_takes_two_calls_at_most(pagerduty):
    made = notifier(pagerduty, timeout=7)

    made.send(notice(EventType.TOKEN_ROTATED), "", PORTS)

    assert len(pagerduty.requests) == 2
    assert made.pace.send_limit == 19
    assert made.quota_key("") == notifier(pagerduty).quota_key("")
    assert "CANARY" not in made.quota_key("")


@pytest.mark.parametrize(
    "url",
    [
        "https://events.eu.pagerduty.com/v2/enqueue",
        "https://events.pagerduty.com/v2/enqueue/",
        "https://events.pagerduty.com/v2/change/enqueue",
        "https://proxy.example.com/pagerduty/v2/enqueue",
    ],
)
def test_the_address_is_that_of_the_events_api(url):
    auth = {"integration_key": KEY, "integration_url": url}

    assert PagerDutyNotifier.model_validate({"auth_data": auth}).auth_data.integration_url == url


def test_either_of_the_two_addresses_leads_to_both(pagerduty):
    auth = {"integration_key": KEY, "integration_url": f"{pagerduty.url}/v2/change/enqueue"}
    made = PagerDutyNotifier.model_validate({"auth_data": auth})

    made.send(notice(EventType.SYNC_FAILED), "", PORTS)
    made.send(notice(EventType.SYNC_RECOVERED), "", PORTS)

    assert (len(pagerduty.alerts), len(pagerduty.changes)) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"integration_key": "CANARY"},
        {"integration_key": KEY + "\r\n"},
        {"integration_key": "ü" * 32},
        {"integration_url": "http://events.pagerduty.com/v2/enqueue?CANARY"},
        {"integration_url": "https://events.pagerduty.com/integration/CANARY/enqueue"},
        {"integration_url": "https://events.pagerduty.com/v2/enqueue?CANARY"},
        {"type": "pagerduty", "integration_key": KEY},
    ],
)
def test_a_wrong_integration_is_refused_without_being_quoted(wrong):
    with pytest.raises(ValidationError) as raised:
        PagerDutyNotifier.model_validate({"auth_data": {"integration_key": KEY, **wrong}})

    assert "CANARY" not in str(raised.value)


def test_a_notice_of_what_nobody_foresaw_has_a_key_of_its_own_kind():
    told = Notice(
        UUID(int=7),
        EventType.CLOCK_JUMPED,
        Severity.CRITICAL,
        datetime(2026, 3, 2, tzinfo=UTC),
        "acme",
        {},
        "",
    )

    assert dedup_key(told, told.type).startswith("keyturn/clock.jumped/")
