"""What a fact says to a person."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import SEVERITY, TOLD, EventType, Severity
from notifiers.base import Notice
from notifiers.words import (
    figures,
    headline,
    known_facts,
    moment,
    next_step,
    one_line,
    severity,
    shortened,
    title,
)

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOKEN = "tfy_vat_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghi"


def notice(event: EventType, **facts: Any) -> Notice:
    return Notice(UUID(int=1), event, SEVERITY[event], AT, "acme", {"account": "ci", **facts}, "")


def test_a_rotation_says_how_long_the_old_token_works():
    told = notice(EventType.TOKEN_ROTATED, generation=4, grace_until="2026-03-03T09:00:00Z")

    said = headline(told)

    assert said == "ci: new token, generation 4; the old one works until 2026-03-03 09:00 UTC"


def test_a_rotation_without_a_grace_says_that_the_old_token_has_ended():
    told = notice(EventType.TOKEN_ROTATED, generation=4, grace_until="2026-03-02T09:00:00Z")

    said = headline(told)

    assert said == "ci: new token, generation 4; the old one has ended"


def test_a_first_token_has_no_old_one():
    told = notice(EventType.TOKEN_ROTATED, generation=1, grace_until="")

    said = headline(told)

    assert said == "ci: new token, generation 1"


@pytest.mark.parametrize(
    ("event", "facts", "said"),
    [
        (
            EventType.TOKEN_EXPIRED,
            {"generation": 3},
            "ci: the old token of generation 3 has ended",
        ),
        (
            EventType.GRACE_ENDING,
            {"generation": 3, "grace_until": "2026-03-03T09:00:30Z"},
            "ci: the old token of generation 3 ends at 2026-03-03 09:00:30 UTC",
        ),
        (
            EventType.GRACE_HELD,
            {"generation": 3, "hold_until": "2026-03-10T09:00:00Z"},
            (
                "ci: the old token of generation 3 is kept alive, at most until "
                "2026-03-10 09:00 UTC: a required store lacks the new one"
            ),
        ),
        (
            EventType.SYNC_FAILED,
            {"path": "prod/ci", "error": "403 denied"},
            "ci: prod/ci did not take the new token: 403 denied",
        ),
        (
            EventType.LANE_PAUSED,
            {"lane": "hashicorp/vault", "address": "", "error": "403 denied"},
            "Sending to hashicorp/vault is paused: 403 denied",
        ),
        (EventType.ROTATION_WAITING, {}, "ci: its rotation waits: -"),
        (EventType.CLOCK_JUMPED, {}, "ci: clock.jumped"),
    ],
)
def test_each_fact_has_a_headline(event, facts, said):
    told = notice(event, **facts)

    assert headline(told) == said


@pytest.mark.parametrize("event", sorted(TOLD))
def test_everything_told_has_a_title_that_is_no_type_name(event):
    assert "." not in title(notice(event))


@pytest.mark.parametrize("event", sorted(TOLD))
def test_everything_that_needs_a_human_says_what_to_do(event):
    told = notice(event)

    assert next_step(told) or told.severity is Severity.INFO


def test_what_a_failed_store_needs_depends_on_whether_it_is_retried():
    by_itself = next_step(notice(EventType.SYNC_FAILED, will_retry=True))
    by_hand = next_step(notice(EventType.SYNC_FAILED, will_retry=False))

    assert by_itself.startswith("It is retried")
    assert by_hand.startswith("It will not be retried")


def test_a_copy_that_cannot_be_removed_is_said_so():
    told = notice(EventType.SYNC_FAILED, cause="removed", path="ci/bot", error="locked")
    gone = notice(EventType.SYNC_RECOVERED, cause="removed", path="ci/bot")

    assert headline(told) == "ci: its copy could not be removed from ci/bot: locked"
    assert next_step(told).endswith("its token may still work: remove it there by hand.")
    assert headline(gone) == "ci: its copy has been removed from ci/bot"


def test_figures_are_labelled_in_a_fixed_order_and_the_unknown_is_left_out():
    facts = {
        "by": "ann",
        "token": TOKEN,
        "hold_until": "",
        "grace_until": "2026-03-03T09:00:00Z",
        "generations": [3, 4],
        "error": None,
    }

    told = figures(notice(EventType.TOKEN_ROTATED, **facts))

    assert told == [
        ("Generations", "3, 4"),
        ("Old token works until", "2026-03-03 09:00 UTC"),
        ("By", "ann"),
    ]


def test_only_known_facts_leave_and_tokens_in_them_are_masked():
    facts = {"account": "ci", "token": TOKEN, "error": f"400 {TOKEN} is bad", "will_retry": True}

    told = known_facts(facts)

    assert told == {"account": "ci", "error": "400 tfy_vat_*** is bad", "will_retry": True}


def test_a_moment_is_told_in_utc_and_to_the_second_only_if_it_needs_one():
    berlin = timezone(timedelta(hours=2))

    assert moment(datetime(2026, 3, 2, 11, 0, tzinfo=berlin)) == "2026-03-02 09:00 UTC"
    assert moment(datetime(2026, 3, 2, 9, 0, 7, tzinfo=UTC)) == "2026-03-02 09:00:07 UTC"


def test_a_value_that_only_looks_like_a_moment_stays_as_it_is():
    told = figures(notice(EventType.TOKEN_ROTATED, grace_until="2026-13-99T09:00:00Z"))

    assert told == [("Old token works until", "2026-13-99T09:00:00Z")]


def test_a_severity_is_a_word():
    assert severity(notice(EventType.HOLD_EXHAUSTED)) == "Critical"


def test_text_that_is_too_long_ends_in_an_ellipsis():
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abc defg", 5) == "abc…"


@pytest.mark.parametrize(
    ("given_", "line"),
    [
        ("a\r\nBcc: b", "a Bcc: b"),
        ("\x1b[31mred\x07", "[31mred"),
        ("\u202egnp.exe\u2028x", "gnp.exe x"),
        ("a \t  b", "a b"),
        ("half \ud800 of it", "half of it"),
        (TOKEN, "tfy_vat_***"),
        (TOKEN + TOKEN, "tfy_vat_***"),
        (7, "7"),
    ],
)
def test_a_line_has_no_control_characters_and_no_tokens(given_, line):
    assert one_line(given_) == line


@given(
    event=st.sampled_from(sorted(EventType)),
    facts=st.dictionaries(
        st.text(max_size=12) | st.sampled_from(["account", "path", "error", "grace_until"]),
        st.none() | st.integers() | st.text(max_size=900) | st.lists(st.text(), max_size=5),
    ),
)
def test_whatever_the_facts_are_the_words_are_one_short_printable_line(event, facts):
    told = Notice(UUID(int=1), event, SEVERITY[event], AT, "acme", facts, "")

    said = [headline(told), title(told), *(text for figure in figures(told) for text in figure)]

    assert all(text.isprintable() and len(text) <= 400 for text in said)
    assert headline(told)
