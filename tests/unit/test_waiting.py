"""Waiting with a deadline."""

import pytest

from tests.support.waiting import eventually


class TestWaiting:
    def test_the_first_true_value_is_returned(self):
        answers = iter([0, "", "here", "too late"])

        assert eventually(lambda: next(answers), every=0.001) == "here"

    def test_an_exception_counts_as_not_yet(self):
        answers = iter([0, 4])

        assert eventually(lambda: 8 // next(answers), every=0.001) == 2

    def test_the_last_value_is_named_when_time_is_up(self):
        with pytest.raises(AssertionError, match=r"still \[\] after 0.02 s"):
            eventually(list, within=0.02, every=0.005)

    def test_the_last_exception_is_the_cause_when_time_is_up(self):
        with pytest.raises(AssertionError, match="ZeroDivisionError") as caught:
            eventually(lambda: 1 // 0, within=0.02, every=0.005)

        assert isinstance(caught.value.__cause__, ZeroDivisionError)
