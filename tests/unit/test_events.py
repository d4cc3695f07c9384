"""Who wants to hear which fact."""

import pytest

from core.events import (
    ENDS,
    PERSONAL,
    SEVERITY,
    SUBSCRIBABLE,
    TOLD,
    EventType,
    Severity,
    is_wanted,
)

INFO, WARNING, CRITICAL = Severity


@pytest.mark.parametrize(
    ("severity", "least", "chosen", "wanted"),
    [
        (INFO, INFO, None, True),
        (INFO, WARNING, None, False),
        (CRITICAL, WARNING, None, True),
        (INFO, INFO, ["token.rotated"], True),
        (INFO, INFO, ["token.revoked"], False),
        (INFO, WARNING, ["token.rotated"], False),
    ],
)
def test_a_fact_is_wanted_if_it_was_chosen_and_is_bad_enough(severity, least, chosen, wanted):
    assert is_wanted(EventType.TOKEN_ROTATED, severity, chosen=chosen, least=least) is wanted


@pytest.mark.parametrize(
    ("ended", "least", "chosen", "wanted"),
    [
        (CRITICAL, CRITICAL, None, True),
        (WARNING, CRITICAL, None, False),
        (WARNING, WARNING, ["rotation.waiting"], True),
        (WARNING, CRITICAL, ["rotation.waiting"], False),
        (CRITICAL, INFO, ["lane.paused"], False),
        (None, INFO, ["rotation.failed"], False),
    ],
)
def test_the_end_of_a_problem_is_wanted_by_whoever_wanted_the_problem(ended, least, chosen, wanted):
    rotated = EventType.TOKEN_ROTATED

    assert is_wanted(rotated, INFO, chosen=chosen, least=least, ends=ended) is wanted


def test_what_ends_a_problem_and_the_problem_are_both_told():
    assert ENDS.keys() | frozenset().union(*ENDS.values()) <= TOLD


def test_nobody_subscribes_to_what_concerns_somebody_else_alone():
    assert PERSONAL <= TOLD
    assert not PERSONAL & set(SUBSCRIBABLE)
    assert set(SUBSCRIBABLE) == {event.value for event in TOLD - PERSONAL}


def test_every_event_has_a_severity():
    assert SEVERITY.keys() == set(EventType)
