from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.policy import Farewell, release
from models import AccountState, VirtualAccount

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
GRACE, HOLD = timedelta(minutes=10), timedelta(hours=2)

lengths = st.timedeltas(timedelta(0), timedelta(days=36_500))
ends = st.none() | lengths.map(lambda length: NOW + length)
farewells = st.builds(
    lambda grace, max_hold, expires_at, held: Farewell.at(
        NOW, grace=grace, max_hold=max_hold, expires_at=expires_at, held=held
    ),
    lengths,
    lengths,
    ends,
    st.booleans(),
)


def account(**columns: object) -> VirtualAccount:
    """A row that is in no database."""
    return VirtualAccount(
        id=UUID(int=1),
        state=AccountState.ACTIVE,
        rotated_at=NOW,
        timezone="UTC",
        spread=timedelta(0),
        grace=GRACE,
        max_hold=HOLD,
        **columns,
    )


def test_a_predecessor_that_no_place_holds_works_through_its_grace():
    farewell = Farewell.at(NOW, grace=GRACE, max_hold=HOLD, expires_at=None, held=False)

    assert farewell == Farewell(
        grace_until=NOW + GRACE, hold_until=NOW + GRACE, valid_until=NOW + GRACE
    )


@pytest.mark.law(7)
def test_a_predecessor_that_a_place_holds_works_up_to_its_hold_limit():
    farewell = Farewell.at(NOW, grace=GRACE, max_hold=HOLD, expires_at=None, held=True)

    assert farewell == Farewell(
        grace_until=NOW + GRACE, hold_until=NOW + GRACE + HOLD, valid_until=NOW + GRACE + HOLD
    )


def test_a_grace_of_nothing_ends_the_old_token_at_once():
    farewell = Farewell.at(NOW, grace=timedelta(0), max_hold=HOLD, expires_at=None, held=False)

    assert farewell.valid_until == NOW


@pytest.mark.law(5)
@given(grace=lengths, max_hold=lengths, life=lengths, held=st.booleans())
def test_neither_grace_nor_hold_outlives_the_tokens_own_end(
    grace: timedelta, max_hold: timedelta, life: timedelta, held: bool
):
    end = NOW + life

    farewell = Farewell.at(NOW, grace=grace, max_hold=max_hold, expires_at=end, held=held)

    assert farewell.grace_until <= farewell.valid_until <= farewell.hold_until <= end


@pytest.mark.law(5)
@given(grace=lengths, max_hold=lengths, held=st.booleans())
def test_a_token_without_an_end_gets_all_of_its_grace(
    grace: timedelta, max_hold: timedelta, held: bool
):
    farewell = Farewell.at(NOW, grace=grace, max_hold=max_hold, expires_at=None, held=held)

    assert farewell.grace_until == NOW + grace


@pytest.mark.law(7)
@given(farewells, lengths, lengths)
def test_a_release_never_shortens_the_grace_nor_passes_the_hold_limit(
    farewell: Farewell, later: timedelta, pick_up: timedelta
):
    until = release(
        now=NOW + later,
        grace_until=farewell.grace_until,
        hold_until=farewell.hold_until,
        pick_up=pick_up,
    )

    assert farewell.grace_until <= until <= farewell.hold_until


@pytest.mark.law(7)
@given(farewells, lengths, lengths)
def test_consumers_get_the_pick_up_time_as_far_as_the_hold_limit_allows(
    farewell: Farewell, later: timedelta, pick_up: timedelta
):
    now = NOW + later

    until = release(
        now=now,
        grace_until=farewell.grace_until,
        hold_until=farewell.hold_until,
        pick_up=pick_up,
    )

    assert until >= min(now + pick_up, farewell.hold_until)


@pytest.mark.law(7)
@pytest.mark.parametrize(
    ("confirmed_after", "works_for"),
    [
        (timedelta(seconds=1), timedelta(minutes=10)),
        (timedelta(minutes=8), timedelta(minutes=13)),
        (timedelta(minutes=30), timedelta(minutes=35)),
        (timedelta(minutes=128), timedelta(minutes=130)),
        (timedelta(minutes=200), timedelta(minutes=130)),
    ],
)
def test_a_confirmation_ends_a_hold_after_the_pick_up_time(
    confirmed_after: timedelta, works_for: timedelta
):
    until = release(
        now=NOW + confirmed_after,
        grace_until=NOW + GRACE,
        hold_until=NOW + GRACE + HOLD,
        pick_up=timedelta(minutes=5),
    )

    assert until == NOW + works_for


def test_an_account_is_due_at_the_moment_it_was_given():
    bot = account()

    bot.schedule(NOW + timedelta(hours=1))

    assert bot.next_rotation_at == bot.due_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("after", [timedelta(0), timedelta(hours=1)])
def test_an_account_is_not_rotated_at_or_after_its_expiration_date(after: timedelta):
    bot = account(expires_at=NOW + timedelta(days=1))

    bot.schedule(NOW + timedelta(days=1) + after)

    assert (bot.next_rotation_at, bot.due_at) == (None, None)


def test_an_account_is_rotated_right_up_to_its_expiration_date():
    bot = account(expires_at=NOW + timedelta(days=1))

    bot.schedule(NOW + timedelta(days=1, microseconds=-1))

    assert bot.due_at == NOW + timedelta(days=1, microseconds=-1)


def test_an_account_expires_at_the_moment_its_last_day_is_over():
    bot = account(expires_at=NOW)

    assert not bot.is_expired(NOW - timedelta(microseconds=1))
    assert bot.is_expired(NOW)


def test_an_account_without_a_policy_is_never_due():
    bot = account()

    bot.reschedule(NOW)

    assert bot.due_at is None


def test_a_changed_policy_reckons_from_the_last_rotation():
    bot = account(rotation_interval=timedelta(hours=12))

    bot.reschedule(NOW + timedelta(hours=5))

    assert bot.due_at == NOW + timedelta(hours=12)


def test_a_policy_that_would_have_been_due_already_is_due_now():
    bot = account(rotation_interval=timedelta(hours=1))

    bot.reschedule(NOW + timedelta(hours=5))

    assert bot.due_at == NOW + timedelta(hours=5)


def test_a_paused_account_keeps_its_moment_but_nobody_looks():
    bot = account(rotation_interval=timedelta(hours=1))
    bot.reschedule(NOW)

    bot.pause(NOW)

    assert (bot.next_rotation_at, bot.due_at) == (NOW + timedelta(hours=1), None)


@pytest.mark.law(8)
def test_what_fell_due_while_an_account_was_paused_is_due_once_it_is_resumed():
    bot = account(rotation_interval=timedelta(hours=1))
    bot.reschedule(NOW)
    bot.pause(NOW)

    bot.resume()

    assert bot.due_at == NOW + timedelta(hours=1)
